"""Base class of tasks whose sources are shares of one observation."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.images import without_opacity
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.outputs import OutputSpec, Units
from napari_bitsnet.tasks import BaseTask, Slices
from napari_bitsnet.tasks._shared_i0 import shared_i0
from napari_bitsnet.tasks._shares import SharesConfig, expose_mixture

SOURCES = OutputSpec(
    "source_#", "source", "Source #", "Contribution of this source to the mixture.", layer="front"
)
RESIDUAL = OutputSpec(
    "residual", "difference", "Residual", "The mixture minus the mixture that the sources reproduce."
)


class SharesTask(BaseTask):
    """Base task whose sources are shares of one observation, in its units or in optical density."""

    config: SharesConfig

    @property
    def units(self) -> Units:
        """See `Task.units`: optical density under attenuation, unless transmitted intensities are wanted."""
        config = self.config
        return "density" if config.mixing == "attenuation" and config.output == "density" else "mixture"

    def scorable(
        self,
        mixture: NDArray,
        sources: NDArray,
        truths: NDArray,
        i0: float | None,
        stored: np.dtype | None = None,
    ) -> tuple[NDArray, NDArray, NDArray]:
        """See `Task.scorable`: shares of photographs add up as light, and under attenuation in optical
        density, with the frames and I0 of the run."""
        if self.config.mixing == "linear":
            transfer = self.config.transfer(mixture, np.asarray(mixture).dtype if stored is None else stored)
            if transfer.is_identity:
                return mixture, sources, truths
            light = without_opacity(transfer.to_light(mixture))
            return light, transfer.to_light(sources), transfer.to_light(truths)
        if i0 is None:
            return mixture, sources, truths
        # not by `updated`: an estimate may lie outside the bounds that hold for what people set
        density = expose_mixture(mixture, self.config.model_copy(update={"i0": i0}), stored).density
        if self.config.output == "density":
            return density, sources, truths
        with np.errstate(divide="ignore", invalid="ignore"):
            return density, np.log(i0) - np.log(sources), np.log(i0) - np.log(truths)

    def for_stack(self, planes: Slices) -> tuple[Self, list[Notice]]:
        """See `Task.for_stack`: under attenuation slices share one I0."""
        i0, notices = shared_i0(planes, self.config)
        if i0 is None:
            return self, notices
        # not by `updated`: an estimate may lie outside the bounds that hold for what people set
        return type(self)(self.config.model_copy(update={"i0": i0})), notices
