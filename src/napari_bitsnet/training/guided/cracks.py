"""Trains the network that finds cracks in photographs of paintings, on pictures with simulated cracks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari_bitsnet.core.config import setting
from napari_bitsnet.methods.guided.cracks import crack_weights
from napari_bitsnet.training.protocol import TRAINERS, BaseTrainer, Input, Progress, TrainingConfig
from napari_bitsnet.training.sheet import sheet_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_bitsnet.training.records import Look

WIDTHS = (24, 40, 56)
"""Channels of the levels of the network. Cracks are thin, so three levels see enough of their surroundings.
"""
FIRST = 1_000_000
"""Offset of the seed of pictures, far from the seeds of benchmarks and tests."""
USUAL_ERROR = 0.1
"""Divisor of errors, so that the loss is of the order of 1."""
SHOWN = 6
"""Number of held-out examples in the picture."""


class CrackTraining(TrainingConfig):
    """Settings of the training of the network that finds cracks."""

    hours: float = setting(
        0.5, "Time to train, unless steps are given.", ge=0.001, le=1000, step=0.5, unit="h"
    )
    validate_every: int = setting(250, "Steps between validations.", ge=1, le=10**6, step=50)
    pictures: int = setting(200, "Pictures that cracks are drawn into.", ge=2, le=10**5, step=50)
    nets: int = setting(160, "Nets of cracks.", ge=2, le=10**5, step=50)
    size: int = setting(256, "Side of pictures and nets.", ge=64, le=2048, step=64, unit="px")
    kept: int = setting(16, "Pictures and nets that are only validated with.", ge=1, le=1000, step=4)
    validation_examples: int = setting(48, "Examples that are validated with.", ge=1, le=10**4, step=16)


@TRAINERS.register("cracks")
class Cracks(BaseTrainer):
    """Train a network to predict the light that cracks take, by its mean squared error; see `Trainer`."""

    name: ClassVar[str] = "cracks"
    title: ClassVar[str] = "Cracks in photographs"
    summary: ClassVar[str] = (
        "Learns to find the cracks of paint from cracks that are drawn into paintings and photographs."
    )
    Config: ClassVar[type[TrainingConfig]] = CrackTraining
    inputs: ClassVar[tuple[Input, ...]] = (
        Input(
            "photographs",
            "Photographs",
            "Folders or zips of photographs; without any, all pictures are paintings that are drawn by "
            "rules.",
            least=0,
        ),
    )
    _pictures: NDArray[np.uint8]
    _nets: NDArray[np.uint8]
    _held_out: tuple[Tensor, Tensor]

    @classmethod
    def shipped(cls) -> Path | None:
        return crack_weights() if crack_weights().is_file() else None

    def check(self) -> None:
        """See `Trainer.check`; some pictures and crack patterns have to remain for training."""
        super().check()
        if self.config.kept >= min(self.config.pictures, self.config.nets):
            raise ValueError(
                f"Expected more pictures and nets than the {self.config.kept} that are kept for validation, "
                f"got {self.config.pictures} and {self.config.nets}: raise them, or lower kept."
            )

    def prepare(self) -> Iterator[Progress]:
        """Draw the cracks and the paintings, and read the photographs."""
        import numpy as np

        from napari_bitsnet.data.xray_layers import cracks
        from napari_bitsnet.training.guided.crack_examples import batch, picture
        from napari_bitsnet.training.images import load_images

        config, rng = self.config, np.random.default_rng(FIRST + self.config.seed)
        shape = (config.size, config.size)
        photographs = yield from load_images(
            self.data["photographs"], short_side=config.size, cache=self.folder
        )
        nets, pictures = [], []
        for n in range(config.nets):
            nets.append((255 * cracks(rng, shape)).round().astype(np.uint8))
            yield Progress(note=f"Drawing cracks: {n + 1} of {config.nets} nets…")
        for n in range(config.pictures):
            pictures.append(picture(n, photographs, shape, rng))
            yield Progress(note=f"Drawing pictures: {n + 1} of {config.pictures}…")
        self._pictures, self._nets, kept = np.stack(pictures), np.stack(nets), config.kept
        held_out = np.random.default_rng([config.seed, 2**31])
        seen, taken = batch(self._pictures[:kept], self._nets[:kept], config.validation_examples, held_out)
        self._held_out = seen.to(self.device), taken.to(self.device)

    def network(self) -> nn.Module:
        import torch

        from napari_bitsnet.core.networks.unet import UNet

        network = UNet(3, 1, widths=WIDTHS, blocks=1, stem=2, silent=True)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def load(self, path: Path) -> nn.Module:
        from napari_bitsnet.core.networks.shipped import load_unet

        return load_unet(path, 3, 1)

    def loss(self, look: Look, step: int) -> Tensor:
        import numpy as np

        from napari_bitsnet.training.guided.crack_examples import batch

        rng, kept = np.random.default_rng([self.config.seed, step]), self.config.kept
        seen, taken = batch(self._pictures[kept:], self._nets[kept:], self.config.batch, rng)
        error = look(seen.to(self.device) - 0.5) - taken.to(self.device)
        return (error / USUAL_ERROR).square().mean()

    def validate(self, look: Look) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """Return the explained fraction of the energy of held-out cracks, and a picture: input, answer and
        truth in each row."""
        import torch

        seen, taken = self._held_out
        found = torch.cat([look(part - 0.5) for part in seen.split(self.config.batch)])
        left = (found - taken).square().sum() / taken.square().sum()
        return {"explained": 1 - float(left)}, sheet_of([seen, found, taken], SHOWN)

    def held_out(self) -> dict[str, int]:
        """See `BaseTrainer.held_out`."""
        return {"pictures": self.config.kept, "nets of cracks": self.config.kept}

    def facts(self) -> dict[str, Any]:
        return {"network": {"widths": WIDTHS}}
