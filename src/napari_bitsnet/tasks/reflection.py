"""Separate a photograph through glass into the scene behind it and the reflection."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_bitsnet.core.config import Config
from napari_bitsnet.core.images import Scaling, check_image, normalise, restore, without_opacity
from napari_bitsnet.core.mixing import Reflection as ReflectionMixing
from napari_bitsnet.core.outputs import Output, OutputSpec, describe
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.tasks import TASKS, BaseTask, Built, Input, Inputs
from napari_bitsnet.tasks._photograph import PhotographConfig

if TYPE_CHECKING:
    from torch import Tensor


class ReflectionConfig(PhotographConfig):
    """Settings of the task."""


@TASKS.register("reflection")
class Reflection(BaseTask):
    """``I = T + R``: T is the scene behind the glass, R what the glass reflects; see the mixing
    `Reflection`."""

    name: ClassVar[str] = "reflection"
    title: ClassVar[str] = "A photograph with a reflection"
    summary: ClassVar[str] = (
        "Separates a photograph through glass into the scene behind it and the reflection."
    )
    validated_on: ClassVar[str] = "photographs with computed reflections, but no real ones"
    Config: ClassVar[type[Config]] = ReflectionConfig
    method: ClassVar[str] = "ytmt"
    output_specs: ClassVar[tuple[OutputSpec, ...]] = (
        OutputSpec("transmission", "source", "Transmission", "The scene behind the glass.", layer="front"),
        OutputSpec("reflection", "source", "Reflection", "The light that the glass reflects.", layer="front"),
        OutputSpec(
            "unexplained",
            "difference",
            "Unexplained",
            "The photograph minus transmission and reflection: what neither of them explains.",
        ),
        OutputSpec(
            "disagreement",
            "map",
            "Disagreement",
            "Standard deviation of the images among mirrored views, in the photograph's units: large where "
            "they are uncertain.",
            "YX",
        ),
    )
    inputs: ClassVar[tuple[Input, ...]] = (
        Input("mixture", "Image", "The photograph through glass."),
        Input("mask", "Ignore", "Mask: pixels to exclude.", required=False),
    )

    config: ReflectionConfig

    def traits(self, *, n_observations: int = 1, n_guides: int = 0, has_hints: bool = False) -> Traits:
        return Traits(n_sources=2, mixing="reflection")

    def build(self, inputs: Inputs) -> Built:
        low, high = self.config.range_of(check_image(inputs.mixture), inputs.dtype)
        image = normalise(inputs.mixture, lo=low, hi=high, mask=inputs.mask)
        problem = Problem(
            image.tensor, 2, mixing=ReflectionMixing(), valid=image.valid, scaling=image.scaling
        )
        return Built(problem, without_opacity(inputs.mixture))

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """See `Task.outputs`: ``transmission``, ``reflection``, ``unexplained``; of several views
        ``disagreement`` (Y, X) too.

        Both images have the photograph's black, so that ``transmission + reflection - black + unexplained``
        is the photograph.
        """
        problem = built.problem
        both = restore(answer["sources"], problem.scaling, valid=problem.valid)
        explained = both[0].astype(np.float64) + both[1] - problem.scaling.lo
        unexplained = (built.observed - explained).astype(np.float32)
        found = {"transmission": both[0], "reflection": both[1], "unexplained": unexplained}
        if "disagreement" in answer:
            scale = Scaling(0.0, problem.scaling.span)
            found["disagreement"] = restore(answer["disagreement"], scale, valid=problem.valid)[0]
        return describe(found, self.output_specs, self.units)
