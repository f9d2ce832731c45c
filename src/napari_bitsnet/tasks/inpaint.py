"""Fill the missing pixels of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_bitsnet.core.config import Config
from napari_bitsnet.core.images import normalise, restore, without_opacity
from napari_bitsnet.core.mixing import Masked
from napari_bitsnet.core.outputs import Output, OutputSpec, describe
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.tasks import TASKS, BaseTask, Built, Input, Inputs

if TYPE_CHECKING:
    from torch import Tensor


class InpaintConfig(Config):
    """The task has no settings."""


@TASKS.register("inpaint")
class Inpaint(BaseTask):
    """``I = J`` where pixels are known: one generator, J; squared differences from I at known pixels only.

    Pixels are missing where the mask says so, where they are NaN or infinite, and where opacity is zero.
    """

    name: ClassVar[str] = "inpaint"
    title: ClassVar[str] = "An image with missing pixels"
    summary: ClassVar[str] = "Fills the missing pixels of one image from the known pixels."
    validated_on: ClassVar[str] = "photographs from which pixels were removed"
    Config: ClassVar[type[Config]] = InpaintConfig
    method: ClassVar[str] = "nl_bayes"  # the network's gain is not larger
    output_specs: ClassVar[tuple[OutputSpec, ...]] = (
        OutputSpec(
            "clean", "image", "Completed image", "The image with its missing pixels filled.", layer="front"
        ),
    )
    inputs: ClassVar[tuple[Input, ...]] = (
        Input("mixture", "Image", "The image to complete."),
        Input("mask", "Missing", "Labels or shapes: not 0 where pixels are missing."),
    )

    config: InpaintConfig

    def traits(self, *, n_observations: int = 1, n_guides: int = 0, has_hints: bool = False) -> Traits:
        return Traits(n_sources=1, mixing="masked")

    def build(self, inputs: Inputs) -> Built:
        """See `Task.build`.

        Raises
        ------
        ValueError
            Also if no pixel is missing.
        """
        image = normalise(inputs.mixture, mask=inputs.mask)
        if image.valid is None:
            got = "none" if inputs.mask is None else "an empty one"
            raise ValueError(
                f"Expected a mask of the missing pixels (True, or not 0, where they are missing), got {got}: "
                "there is nothing to fill."
            )
        problem = Problem(image.tensor, 1, mixing=Masked(), valid=image.valid, scaling=image.scaling)
        return Built(problem, without_opacity(inputs.mixture))

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """See `Task.outputs`: ``clean``, the image itself wherever its pixels are known."""
        clean, valid = restore(answer["sources"], built.problem.scaling)[0], built.problem.valid
        known = np.ones(clean.shape[:2], bool) if valid is None else valid[0, 0].cpu().numpy()
        if clean.ndim == 3:
            known = known[..., None]
        completed = np.where(known, built.observed.astype(np.float32), clean)
        return describe({"clean": completed}, self.output_specs)
