"""Separate a superimposed image into sources that add up to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.images import Scaling, restore
from napari_bitsnet.core.outputs import Output, OutputSpec, describe
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.methods.feedforward.feedforward import weights_available
from napari_bitsnet.tasks import TASKS, Built, Input, Inputs
from napari_bitsnet.tasks._shares import SharesConfig, build_shares_problem, shares_outputs
from napari_bitsnet.tasks._shares_task import RESIDUAL, SOURCES, SharesTask

if TYPE_CHECKING:
    from torch import Tensor


class SeparateConfig(SharesConfig):
    """Settings of the task."""

    n_sources: int = setting(2, "Number of superimposed sources.", ge=2, le=4, step=1)


@TASKS.register("separate")
class Separate(SharesTask):
    """``I = y_1 + … + y_K``, blind or with hints."""

    name: ClassVar[str] = "separate"
    title: ClassVar[str] = "One superimposed image"
    summary: ClassVar[str] = "Separates one image into sources that add up to it."
    validated_on: ClassVar[str] = (
        "means of two photographs, drawn patterns, and mixtures of real images of known kinds"
    )
    Config: ClassVar[type[Config]] = SeparateConfig
    output_specs: ClassVar[tuple[OutputSpec, ...]] = (
        SOURCES,
        RESIDUAL,
        OutputSpec(
            "confidence",
            "map",
            "Confidence",
            "Fraction of the local contrast that the trained networks separate, from 0 to 1.",
            "YX",
        ),
        OutputSpec(
            "disagreement",
            "map",
            "Disagreement",
            "Standard deviation of the sources among mirrored views of trained streams, in the mixture's "
            "units.",
            "YX",
        ),
    )
    inputs: ClassVar[tuple[Input, ...]] = (
        Input("mixture", "Image", "The image in which sources are superimposed."),
        Input("hints", "Hints", "Labels: k where edges or areas belong to source k.", required=False),
        Input("mask", "Ignore", "Mask: pixels to exclude.", required=False),
    )

    config: SeparateConfig

    def traits(self, *, n_observations: int = 1, n_guides: int = 0, has_hints: bool = False) -> Traits:
        return Traits(n_sources=self.config.n_sources, has_hints=has_hints)

    def default_method(self, traits: Traits) -> str:
        """See `Task.default_method`: for two sources the trained networks, whose gain untrained ones do not
        exceed."""
        if traits.n_sources == 2 and weights_available():
            return "feedforward"
        return "sparse_gradients" if traits.has_hints else "bitsnet"

    def build(self, inputs: Inputs) -> Built:
        return build_shares_problem(inputs, self.config, n_sources=self.config.n_sources)

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """See `Task.outputs`: ``source_1`` …, ``residual``; from trained networks ``confidence`` in [0, 1]
        or ``disagreement`` too."""
        found = shares_outputs(built, answer["sources"], self.config)
        if "confidence" in answer:
            found["confidence"] = restore(answer["confidence"], Scaling(), valid=built.problem.valid)[0]
        if "disagreement" in answer:
            scale = Scaling(0.0, built.problem.scaling.span)
            found["disagreement"] = restore(answer["disagreement"], scale, valid=built.problem.valid)[0]
        return describe(found, self.output_specs, self.units)
