"""Trains a network to take mixtures apart from unpaired folders: mixtures in one, each kind of image in
another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from napari_bitsnet.core.config import setting
from napari_bitsnet.training.kind_names import kind_names
from napari_bitsnet.training.protocol import TRAINERS, BaseTrainer, Input, Progress, TrainingConfig
from napari_bitsnet.training.sheet import sheet_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_bitsnet.training.protocol import Look
    from napari_bitsnet.training.sils.folders import Unpaired

VALIDATION = 2**31
"""Number of the held-out mixtures among the random draws: no training has so many steps."""
SHOWN = 6
"""Held-out mixtures in the picture."""
PENALTY_EVERY = 8
"""Steps between two gradient penalties, which then weigh as many times as much (Karras et al., CVPR 2020)."""


class SILSTraining(TrainingConfig):
    """How the method `sils` is trained."""

    rate: float = setting(1e-3, "Largest learning rate.", ge=1e-6, le=0.1, step=1e-4)
    decay: float = setting(0.0, "Weight decay.", ge=0, le=1, step=0.01)
    half: bool = setting(False, "Compute in bfloat16 where the processor can.")
    demo: Literal["none", "shapes", "three shapes"] = setting(
        "none", "Train on squares and circles (and triangles) that are drawn on the fly, in place of folders."
    )
    names: str = setting("", "Names of the kinds, separated by commas; none: those of the folders.")
    mixing: Literal["linear", "attenuation"] = setting(
        "linear",
        "How the kinds superimpose: they add, or their logarithms do (attenuation, intrinsic images).",
    )
    colour: bool = setting(False, "Keep the colours; otherwise channels are averaged.")
    gain: float = setting(
        1.5, "Images are brightened and darkened by up to this factor.", ge=1, le=10, step=0.1
    )
    size: int = setting(128, "Side of the crops.", ge=32, le=1024, step=32, unit="px")
    width: int = setting(
        16, "Channels of the finest level; each level has twice as many.", ge=8, le=128, step=8
    )
    levels: int = setting(5, "Levels of the network, each half as fine as the last.", ge=2, le=7, step=1)
    branches: int = setting(1, "Scales at which a critic looks; photographs need 3.", ge=1, le=4, step=1)
    ss: float = setting(1.0, "Weight of shared information between codes (w1).", ge=0, le=100, step=0.1)
    cc: float = setting(10.0, "Weight of the cycles (w2 times lambda 4 to 6).", ge=0, le=1000, step=1)
    gan: float = setting(1.0, "Weight of the critics (lambda 0).", ge=0, le=100, step=0.1)
    sums: float = setting(
        10.0,
        "Weight of the error on sums of the kinds' own images, whose answer is known; the paper has none: 0.",
        ge=0,
        le=1000,
        step=1,
    )
    sums_alone: float = setting(
        0.8,
        "Part of the training, at its beginning, in which these sums alone teach, unless *sums* is 0.",
        ge=0,
        le=1,
        step=0.1,
    )
    alpha: float = setting(1.4, "Distance between codes of different kinds.", ge=0.1, le=10, step=0.1)
    penalty: float = setting(1.0, "Weight of the critics' gradient penalty.", ge=0, le=1000, step=1)
    validation_mixtures: int = setting(32, "Held-out mixtures.", ge=1, le=10**4, step=8)


@TRAINERS.register("sils")
class SILSTrainer(BaseTrainer):
    """See `Trainer`, and `SILSNetwork` for the source.

    Notes
    -----
    Minimises ``w1 SS + lambda_0 GAN + w2 CC`` (equations 4 and 9): see `losses` and `critic`.
    """

    name: ClassVar[str] = "sils"
    title: ClassVar[str] = "Unpaired kinds of images (SILS)"
    summary: ClassVar[str] = (
        "Learns to separate mixtures from a folder of mixtures and a folder of each kind, in which nothing "
        "belongs together."
    )
    Config: ClassVar[type[TrainingConfig]] = SILSTraining
    inputs: ClassVar[tuple[Input, ...]] = (
        Input(
            "mixtures",
            "Mixtures",
            "Folders or zips of superimposed images.",
            least=0,
            flag=True,
        ),
        Input(
            "layer",
            "Layers",
            "Folder or zip of images of one kind; two or three kinds.",
            least=0,
            most=3,
        ),
    )

    betas: ClassVar[tuple[float, float]] = (0.0, 0.9)  # the paper's: network and critics chase each other

    def __init__(self, config: Any, data: Any, *, folder: Path, device: str = "auto") -> None:
        super().__init__(config, data, folder=folder, device=device)
        self._images: Unpaired | None = None

    def check(self) -> None:
        """See `Trainer.check`."""
        from napari_bitsnet.training.sils.folders import check_folders

        super().check()
        mixtures, layers = self.data["mixtures"], self.data["layer"]
        if self.config.demo != "none":
            if mixtures or layers:
                raise ValueError("Expected either folders or a demo, got both: leave one out.")
            return
        if not mixtures or len(layers) not in (2, 3):
            raise ValueError(
                f"Expected a folder of mixtures and 2 or 3 folders of layers, got {len(mixtures)} and "
                f"{len(layers)}."
            )
        kind_names(self.config.names, layers)
        check_folders(mixtures, layers)

    @property
    def images(self) -> Unpaired:
        """What is learnt from."""
        if self._images is None:
            self._images = self._make_images()
        return self._images

    def _make_images(self) -> Unpaired:
        from napari_bitsnet.training.sils.folders import Folders, Shapes

        config = self.config
        if config.demo != "none":
            return Shapes(2 if config.demo == "shapes" else 3, size=config.size, seed=config.seed)
        layers = self.data["layer"]
        return Folders(
            self.data["mixtures"],
            layers,
            kind_names(config.names, layers),
            mixing=config.mixing,
            colour=config.colour,
            gain=config.gain,
            size=config.size,
            seed=config.seed,
        )

    def meaning(self) -> dict[str, Any]:
        """See `BaseTrainer.meaning`; names that follow from folders count as if they had been given."""
        return {**super().meaning(), "names": list(self.images.kinds)}

    def prepare(self) -> Iterator[Progress]:
        """Read the images, and draw the held-out mixtures."""
        yield from self.images.prepare()
        number = self.config.validation_mixtures
        self._held_out = self.images.draw(VALIDATION, number, held_out=True)[0].to(self.device)
        self._truth = self.images.truth(VALIDATION, number)

    def network(self) -> nn.Module:
        """See `BaseTrainer.network`."""
        from napari_bitsnet.methods.sils.network import SILSNetwork

        channels = 3 if self.config.colour and self.config.demo == "none" else 1
        widths = [8 * (self.config.width // 8) * 2**level for level in range(self.config.levels)]
        return self._with_critics(SILSNetwork(len(self.images.kinds), channels, widths))

    def load(self, path: Path) -> nn.Module:
        """See `BaseTrainer.load`; the critics go on as well."""
        from napari_bitsnet.core.networks.weights import expand, load_tensors
        from napari_bitsnet.methods.sils.weights_file import load_weights

        network, facts = load_weights(path)
        if len(facts["kinds"]) != len(self.images.kinds):
            raise ValueError(
                f"Expected weights for {len(self.images.kinds)} kinds of images, got {path} for "
                f"{', '.join(facts['kinds'])}."
            )
        whole = self._with_critics(network)
        whole.load_state_dict(expand(load_tensors(path)[0]))
        return whole

    def _with_critics(self, network: Any) -> nn.Module:
        """Add a critic for each kind, which is trained, kept and exported with the network."""
        from torch import nn

        from napari_bitsnet.training.sils.critic import Critic

        channels = network.sizes["channels"]
        network.critics = nn.ModuleList(Critic(channels, self.config.branches) for _ in self.images.kinds)
        trained: nn.Module = network
        return trained

    def loss(self, look: Look, step: int) -> Tensor:
        """See `BaseTrainer.loss`."""
        from napari_bitsnet.training.sils.critic import adversarial_losses, gradient_penalty
        from napari_bitsnet.training.sils.losses import (
            cycle_consistency,
            error_on_sums,
            separate,
            shared_information,
        )

        assert self._loop is not None
        network: Any = self._loop.network
        config = self.config
        mixture, layers = self.images.draw(step, config.batch)
        mixture, layers = mixture.to(self.device), [layer.to(self.device) for layer in layers]
        with self._loop.precision:
            loss = config.sums * error_on_sums(network, layers) if config.sums else mixture.new_zeros(())
            if config.sums and self._loop.done < config.sums_alone:
                return loss
            found = separate(network, mixture)
            if config.ss:
                pairs = zip(network.encoders, layers, strict=True)
                codes = [encoder(layer)[-1].float() for encoder, layer in pairs]
                loss = loss + config.ss * shared_information(found, codes, alpha=config.alpha)
            if config.cc:
                loss = loss + config.cc * cycle_consistency(network, found)
            if config.gan:
                for critic, image, layer in zip(network.critics, found.images, layers, strict=True):
                    of_network, of_critic = adversarial_losses(critic, image, layer)
                    loss = loss + config.gan * of_network + of_critic
        if config.gan and config.penalty and step % PENALTY_EVERY == 0:
            for critic, layer in zip(network.critics, layers, strict=True):
                loss = loss + PENALTY_EVERY * config.penalty * gradient_penalty(critic, layer)
        return loss

    def validate(self, look: Look) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """Return figures that need no truth, the error where it is known, and a row a mixture.

        Notes
        -----
        ``sum error``: mean absolute difference of the mixture and the images' sum, over the mixture's range.
        ``least share``: part of the images' energy that the weakest kind has; below 5 % one kind has
        collapsed.
        """
        import torch

        mixture, kinds = self._held_out, self.images.kinds
        answer = torch.cat([look(part) for part in mixture.split(self.config.batch)])
        energy = answer.square().mean(dim=(0, 2, 3, 4))
        scores = {}
        columns = [mixture, *answer.unbind(dim=1), mixture - answer.sum(dim=1) + 0.5]
        if self._truth is not None:
            truth = self._truth.to(self.device)
            errors = (100 * (answer - truth).square().mean(dim=(0, 2, 3, 4))).tolist()
            nulls = (100 * (mixture[:, None] / len(kinds) - truth).square().mean(dim=(0, 2, 3, 4))).tolist()
            scores["error over that of equal shares"] = sum(errors) / sum(nulls)
            scores |= {f"{kind} (mse x 100)": error for kind, error in zip(kinds, errors, strict=True)}
            columns += list(truth.unbind(dim=1))
        scores["sum error"] = float((mixture - answer.sum(dim=1)).abs().mean())
        scores["least share (%)"] = float(100 * energy.min() / energy.sum().clamp_min(1e-12))
        return scores, sheet_of(columns, SHOWN)

    def held_out(self) -> dict[str, int]:
        """See `BaseTrainer.held_out`."""
        return self.images.held_out()

    def facts(self) -> dict[str, Any]:
        """See `BaseTrainer.facts`."""
        network: Any = self._loop.average if self._loop is not None else self.network()
        return {"network": network.sizes, "kinds": list(self.images.kinds), "mixing": self.config.mixing}
