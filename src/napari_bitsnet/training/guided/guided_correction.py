"""Trains the network that corrects guided separation, on panels that are simulated and fitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari_bitsnet.core.config import setting
from napari_bitsnet.methods.guided.correction import CHANNELS_IN, CHANNELS_OUT, correction_weights
from napari_bitsnet.training.protocol import TRAINERS, BaseTrainer, Input, Progress, TrainingConfig

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_bitsnet.training.guided.corrections import Sample
    from napari_bitsnet.training.records import Look

NETWORK: dict[str, Any] = {"widths": (32, 48, 64, 96), "blocks": 1, "stem": 2}
"""Channels of the four levels: errors of a fit are as wide as the areas of one pigment."""


class CorrectionTraining(TrainingConfig):
    """Settings of the training of the network that corrects guided separation."""

    validate_every: int = setting(100, "Steps between validations.", ge=1, le=10**6, step=50)
    half: bool = setting(False, "Compute in bfloat16 where the processor can.")
    panels: int = setting(
        100, "Panels that are simulated and fitted, about 15 s each.", ge=2, le=10**5, step=50
    )
    size: int = setting(256, "Side of the panels.", ge=64, le=2048, step=64, unit="px")
    kept: int = setting(16, "Panels that are only validated with, the first ones.", ge=1, le=1000, step=4)
    side: int = setting(144, "Side of an example.", ge=32, le=1024, step=16, unit="px")
    two_guides: float = setting(
        0.7, "Part of the examples with two guides, of which there is less to learn.", ge=0, le=1, step=0.1
    )


@TRAINERS.register("guided_correction")
class GuidedCorrection(BaseTrainer):
    """Train the network that corrects guided separation with `log_error`; see `Trainer`."""

    name: ClassVar[str] = "guided_correction"
    title: ClassVar[str] = "Corrections of guided separation"
    summary: ClassVar[str] = "Learns from simulated X-rays of panels what the guided fit gets wrong."
    Config: ClassVar[type[TrainingConfig]] = CorrectionTraining
    inputs: ClassVar[tuple[Input, ...]] = (
        Input(
            "photographs",
            "Photographs",
            "Folders or zips of photographs that two of five panels show; without any, all panels show drawn "
            "paintings.",
            least=0,
        ),
    )
    _used: list[Sample]
    _kept: list[Sample]

    @classmethod
    def shipped(cls) -> Path | None:
        return correction_weights() if correction_weights().is_file() else None

    def check(self) -> None:
        """See `Trainer.check`; some panels have to remain for training, and examples have to fit into
        them."""
        super().check()
        if self.config.panels <= self.config.kept or self.config.side > self.config.size:
            raise ValueError(
                f"Expected more panels than the {self.config.kept} that are kept for validation, and panels "
                f"of at least {self.config.side} pixels, got {self.config.panels} panels of "
                f"{self.config.size} pixels."
            )

    def prepare(self) -> Iterator[Progress]:
        """Simulate and fit the panels in a folder for these photographs; existing ones are used."""
        from napari_bitsnet.training.continuing import fingerprint
        from napari_bitsnet.training.guided.corrections import Sample
        from napari_bitsnet.training.guided.panels import solve_panels
        from napari_bitsnet.training.images import load_images

        count, size = self.config.panels, self.config.size
        shown = (fingerprint(path)[:8] for path in self.data["photographs"])
        folder = self.folder / "-".join(["panels", *shown])
        photographs = yield from load_images(self.data["photographs"], short_side=size, cache=self.folder)
        paths = []
        for path in solve_panels(folder, photographs, count=count, size=size, seed=self.config.seed):
            paths.append(path)
            yield Progress(note=f"Simulating and fitting panels: {len(paths)} of {2 * count} fits…")
        samples = [Sample(path) for path in sorted(paths)]
        self._kept, self._used = samples[: 2 * self.config.kept], samples[2 * self.config.kept :]

    def network(self) -> nn.Module:
        import torch

        from napari_bitsnet.core.networks.unet import UNet

        network = UNet(CHANNELS_IN, CHANNELS_OUT, **NETWORK, silent=True)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def load(self, path: Path) -> nn.Module:
        from napari_bitsnet.core.networks.shipped import load_unet

        return load_unet(path, CHANNELS_IN, CHANNELS_OUT)

    def loss(self, look: Look, step: int) -> Tensor:
        import numpy as np
        import torch

        from napari_bitsnet.training.guided.corrections import example, log_error

        rng = np.random.default_rng([self.config.seed, step])
        drawn = [
            example(self._used, rng, side=self.config.side, two_guides=self.config.two_guides)
            for _ in range(self.config.batch)
        ]
        seen, target = (torch.cat(part).to(self.device) for part in zip(*drawn, strict=True))
        return log_error(look(seen), target)

    def validate(self, look: Look) -> tuple[dict[str, float], None]:
        """Return the reduction of the errors of the held-out panels' sources in dB, with one and two
        guides."""
        import numpy as np

        from napari_bitsnet.training.guided.corrections import gains

        found = gains(look, self._kept, self.device)
        names = {2: "gain with two guides (dB)", 1: "gain with one guide (dB)"}
        return {name: float(np.mean([source for _, source in found[n]])) for n, name in names.items()}, None

    def held_out(self) -> dict[str, int]:
        """See `BaseTrainer.held_out`."""
        return {"panels": self.config.kept}

    def facts(self) -> dict[str, Any]:
        return {"network": NETWORK}
