"""Trains the weights of the method `feedforward`."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari_bitsnet.core.config import setting
from napari_bitsnet.methods.feedforward.feedforward import load_network, shipped_weights, weights_available
from napari_bitsnet.training.protocol import TRAINERS, BaseTrainer, Input, Progress, TrainingConfig
from napari_bitsnet.training.sheet import sheet_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_bitsnet.methods.feedforward.network import SplitNetwork
    from napari_bitsnet.training.feedforward.diet import Diet
    from napari_bitsnet.training.feedforward.pairs import Pairs
    from napari_bitsnet.training.records import Look

VALIDATION = 2**31
"""Number of the random draw for held-out pairs, larger than the number of steps of any training."""
SHOWN = 8
"""Number of held-out pairs in the picture."""


class FeedforwardTraining(TrainingConfig):
    """Settings of the training of `feedforward`."""

    batch: int = setting(48, "Pairs of images in a step.", ge=2, le=8192, step=16)
    rate: float = setting(1e-3, "Largest learning rate.", ge=1e-6, le=0.1, step=1e-4)
    decay: float = setting(0.02, "Weight decay.", ge=0, le=1, step=0.01)
    averaging: float = setting(0.999, "How slowly the averaged weights follow.", ge=0, le=0.99999, step=1e-3)
    procedural: float = setting(0.1, "Part of the images that are drawn by rules.", ge=0, le=1, step=0.05)
    drawn: int = setting(3000, "How many images are drawn by rules.", ge=40, le=10**6, step=1000)
    hint_chance: float = setting(0.5, "Part of the pairs that come with scribbles.", ge=0, le=1, step=0.1)
    validation_pairs: int = setting(192, "Held-out pairs.", ge=1, le=10**4, step=64)
    trunk: Path | None = setting(
        None,
        "Published weights that the network's trunk begins with: the file of an EfficientNet-lite2; "
        "none: random ones.",
    )
    trunk_pace: float = setting(0.2, "Learning rate of the trunk, over the other's.", ge=0, le=1, step=0.1)


@TRAINERS.register("feedforward")
class Feedforward(BaseTrainer):
    """Train the network of `feedforward` with `sign_free_loss`; see `Trainer`."""

    name: ClassVar[str] = "feedforward"
    title: ClassVar[str] = "Trained networks"
    summary: ClassVar[str] = (
        "Learns from single images to separate the mixture of two; it separates best what looks like them."
    )
    Config: ClassVar[type[TrainingConfig]] = FeedforwardTraining
    inputs: ClassVar[tuple[Input, ...]] = (
        Input(
            "images",
            "Images",
            "Folders or zips of images to train on, with all sub-folders. Each is drawn from equally often.",
        ),
    )
    _diet: Diet
    _held_out: Pairs

    @classmethod
    def shipped(cls) -> Path | None:
        return shipped_weights() if weights_available() else None

    def prepare(self) -> Iterator[Progress]:
        """Read the images at twice the training size and copy them to the device."""
        from napari_bitsnet.methods.feedforward.network import SEEN_SIZE
        from napari_bitsnet.training.feedforward.diet import make_diet
        from napari_bitsnet.training.images import load_images

        images = yield from load_images(self.data["images"], short_side=2 * SEEN_SIZE, cache=self.folder)
        self._diet = make_diet(
            images,
            SEEN_SIZE,
            procedural=self.config.procedural,
            drawn=self.config.drawn,
            seed=self.config.seed,
            device=self.device,
        )
        self._held_out = self._pairs(VALIDATION, self.config.validation_pairs, held_out=True)

    def network(self) -> SplitNetwork:
        """See `BaseTrainer.network`; the trunk starts with published weights if a file is given."""
        from napari_bitsnet.methods.feedforward.network import SplitNetwork

        network = SplitNetwork(trunk={"width": 1.1, "depth": 1.2})
        if self.config.trunk is not None:
            load_trunk(network, self.config.trunk)
        return network

    def load(self, path: Path) -> SplitNetwork:
        return load_network(path)

    def paces(self, network: Any) -> list[tuple[list[nn.Parameter], float]]:
        """Return the trunk, which has published weights and a small learning rate, and all other
        parameters."""
        trunk = [] if network.trunk is None else list(network.trunk.parameters())
        known = set(trunk)
        groups = [([p for p in network.parameters() if p not in known], 1.0)]
        return [*groups, (trunk, self.config.trunk_pace)] if trunk else groups

    def loss(self, look: Look, step: int) -> Tensor:
        from napari_bitsnet.core.losses.sign_free import sign_free_loss
        from napari_bitsnet.methods.feedforward.network import ANSWER_SIZE, reduce_image

        pairs = self._pairs(step, self.config.batch)
        truth = reduce_image(pairs.difference, ANSWER_SIZE)
        return sign_free_loss(look(pairs.mixture, pairs.hints), truth, pairs.hinted).mean()

    def validate(self, look: Look) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """Return the offset-free gain at the network's size, and a picture: mixture, answers and truths in a
        row for each pair."""
        import torch

        from napari_bitsnet.core.losses.sign_free import sign_free_loss
        from napari_bitsnet.methods.feedforward.network import ANSWER_SIZE, reduce_image

        mixtures, hints = self._held_out.mixture, self._held_out.hints
        parts = zip(mixtures.split(self.config.batch), hints.split(self.config.batch), strict=True)
        estimate = torch.cat([look(m, h) for m, h in parts])
        truth = reduce_image(self._held_out.difference, ANSWER_SIZE)
        e, t = (x - x.mean(dim=(2, 3), keepdim=True) for x in (estimate, truth))
        error = torch.minimum((e - t).square().mean((1, 2, 3)), (e + t).square().mean((1, 2, 3)))
        gain = -10 * torch.log10(error / t.square().mean((1, 2, 3)))
        scores = {
            "gain (dB)": float(gain.mean()),
            "median gain (dB)": float(gain.median()),
            "loss": float(sign_free_loss(estimate, truth).mean()),
        }
        mixture = reduce_image(mixtures, ANSWER_SIZE)
        columns = [mixture, mixture + estimate, mixture - estimate, mixture + truth, mixture - truth]
        return scores, sheet_of(columns, SHOWN)

    def held_out(self) -> dict[str, int]:
        """See `BaseTrainer.held_out`."""
        return {"": sum(len(bank) for bank in self._diet.kept)}

    def facts(self) -> dict[str, Any]:
        network: Any = self._loop.average if self._loop is not None else self.network()
        return {"network": network.sizes}

    def small(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights in half precision, large convolutions in 8 bits; see `compress`."""
        from napari_bitsnet.core.networks.weights import compress

        return compress(tensors)

    def _pairs(self, number: int, count: int, *, held_out: bool = False) -> Pairs:
        """Mix pairs of training images with some scribbles, or of held-out images without."""
        import torch

        from napari_bitsnet.methods.feedforward.network import SEEN_SIZE
        from napari_bitsnet.training.feedforward.pairs import mix_pairs
        from napari_bitsnet.training.loop import generator

        banks = self._diet.kept if held_out else self._diet.used
        chance = 0.0 if held_out else self.config.hint_chance
        with torch.no_grad():
            draw = generator(self.config.seed, number, self.device)
            return mix_pairs(banks, self._diet.chances, count, SEEN_SIZE, draw, hint_chance=chance)


def load_trunk(network: SplitNetwork, path: Path) -> None:
    """Load published weights into the network's trunk; see `fold_normalisation`.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or is another kind of checkpoint.
    """
    import torch

    from napari_bitsnet.core.networks.efficientnet import fold_normalisation

    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the weights of an EfficientNet-lite2, got {path}, which is absent."
        )
    trunk = network.trunk
    assert trunk is not None
    try:
        published = torch.load(path, map_location="cpu", weights_only=True)
        trunk.load_state_dict(fold_normalisation({n: t.float() for n, t in published.items()}, trunk))
    except (KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"Expected the weights of an EfficientNet-lite2, got {path}: {error}.") from None
