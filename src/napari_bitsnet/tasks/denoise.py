"""Remove noise from an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.images import normalise, restore, without_opacity
from napari_bitsnet.core.mixing import Noisy
from napari_bitsnet.core.outputs import Output, OutputSpec, describe
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.tasks import TASKS, BaseTask, Built, Input, Inputs

if TYPE_CHECKING:
    from torch import Tensor


class DenoiseConfig(Config):
    """Settings of the task."""

    sigma: float | None = setting(
        None,
        "Standard deviation of the noise, in the image's units; none estimates it.",
        ge=1e-9,
        le=1e9,
        step=1.0,
    )


@TASKS.register("denoise")
class Denoise(BaseTask):
    """``I = J + n``: one generator, J; mixing by addition of white noise n; squared differences from I.

    A generator draws images before it draws noise: what it has drawn on the way there is averaged.
    """

    name: ClassVar[str] = "denoise"
    title: ClassVar[str] = "A noisy image"
    summary: ClassVar[str] = "Removes white noise from one image."
    validated_on: ClassVar[str] = "photographs with computed noise"
    Config: ClassVar[type[Config]] = DenoiseConfig
    method: ClassVar[str] = "dip"
    output_specs: ClassVar[tuple[OutputSpec, ...]] = (
        OutputSpec("clean", "image", "Cleaned image", "The image without its noise.", layer="front"),
        OutputSpec(
            "residual", "difference", "Residual", "The image minus the clean image: the removed noise."
        ),
    )
    inputs: ClassVar[tuple[Input, ...]] = (
        Input("mixture", "Image", "The noisy image."),
        Input("mask", "Ignore", "Mask: pixels to exclude.", required=False),
    )

    config: DenoiseConfig

    def traits(self, *, n_observations: int = 1, n_guides: int = 0, has_hints: bool = False) -> Traits:
        return Traits(n_sources=1, mixing="noisy")

    def build(self, inputs: Inputs) -> Built:
        image = normalise(inputs.mixture, mask=inputs.mask)
        sigma = None if self.config.sigma is None else self.config.sigma / image.scaling.span
        problem = Problem(image.tensor, 1, mixing=Noisy(sigma), valid=image.valid, scaling=image.scaling)
        return Built(problem, without_opacity(inputs.mixture))

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """See `Task.outputs`: ``clean``, and ``residual``, the removed noise."""
        clean = restore(answer["sources"], built.problem.scaling, valid=built.problem.valid)[0]
        residual = np.where(np.isnan(clean), np.nan, built.observed.astype(np.float64) - clean)
        return describe({"clean": clean, "residual": residual.astype(np.float32)}, self.output_specs)
