"""Remove haze from an image: estimate the clear scene, the transmission and the colour of the haze."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import model_validator

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.images import check_image, normalise, restore, without_opacity
from napari_bitsnet.core.mixing import Haze
from napari_bitsnet.core.outputs import Output, OutputSpec, describe
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.tasks import TASKS, BaseTask, Built, Input, Inputs
from napari_bitsnet.tasks._photograph import PhotographConfig

if TYPE_CHECKING:
    from torch import Tensor


class DehazeConfig(PhotographConfig):
    """Settings of the task."""

    airlight: tuple[float, ...] | None = setting(
        None, "Colour of the haze, one value per channel in the image's units; none estimates it."
    )

    @model_validator(mode="after")
    def _check_airlight(self) -> Self:
        if self.airlight is not None and (not self.airlight or not np.isfinite(self.airlight).all()):
            raise ValueError(f"expected finite values of the airlight, got {self.airlight}")
        return self


@TASKS.register("dehaze")
class Dehaze(BaseTask):
    """``I = t J + (1 - t) A``: generators for the scene J and the transmission t, an airlight A, given or
    learnt.

    Mixing: `Haze`. Losses: squared differences of the remix from I, a smooth t. The scene is in the end the
    inversion ``(I - (1 - t) A) / t``, with t guided by the image.
    """

    name: ClassVar[str] = "dehaze"
    title: ClassVar[str] = "A hazy image"
    summary: ClassVar[str] = "Removes haze from one image, and maps the transmission."
    validated_on: ClassVar[str] = "photographs with computed haze"
    Config: ClassVar[type[Config]] = DehazeConfig
    method: ClassVar[str] = "dark_channel"
    output_specs: ClassVar[tuple[OutputSpec, ...]] = (
        OutputSpec("clear", "image", "Scene without haze", "The scene without haze.", layer="front"),
        OutputSpec(
            "transmission",
            "map",
            "Transmission",
            "Fraction of the scene's light that passes through the haze, from 0 to 1.",
            "YX",
        ),
        OutputSpec("airlight", "values", "Airlight", "Colour of the haze, in the image's units.", "C"),
    )
    inputs: ClassVar[tuple[Input, ...]] = (
        Input("mixture", "Image", "The hazy image, in colour."),
        Input("mask", "Ignore", "Mask: pixels to exclude.", required=False),
    )

    config: DehazeConfig

    def traits(self, *, n_observations: int = 1, n_guides: int = 0, has_hints: bool = False) -> Traits:
        return Traits(n_sources=1, mixing="haze")

    def build(self, inputs: Inputs) -> Built:
        """See `Task.build`.

        Raises
        ------
        ValueError
            Also if the number of airlight values differs from the number of channels.
        """
        low, high = self.config.range_of(check_image(inputs.mixture), inputs.dtype)
        image = normalise(inputs.mixture, lo=low, hi=high, mask=inputs.mask)
        channels = image.tensor.shape[1]
        airlight = self.config.airlight
        if airlight is not None:
            if len(airlight) not in (1, channels):
                raise ValueError(
                    f"Expected an airlight of {channels} values, one per channel, got {len(airlight)}."
                )
            if len(airlight) == 1:
                airlight = airlight * channels
            airlight = tuple((value - low) / (high - low) for value in airlight)
        problem = Problem(image.tensor, 1, mixing=Haze(airlight), valid=image.valid, scaling=image.scaling)
        return Built(problem, without_opacity(inputs.mixture))

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """See `Task.outputs`: ``clear``, ``transmission`` (Y, X) in (0, 1], ``airlight`` (one value per
        channel)."""
        problem = built.problem
        clear = restore(answer["sources"], problem.scaling, valid=problem.valid)[0]
        transmission = answer["transmission"][0, 0].detach().cpu().numpy().astype(np.float32)
        if problem.valid is not None:
            transmission = np.where(problem.valid[0, 0].cpu().numpy(), transmission, np.float32(np.nan))
        airlight = answer["airlight"].detach().cpu().numpy() * problem.scaling.span + problem.scaling.lo
        found = {"clear": clear, "transmission": transmission, "airlight": airlight.astype(np.float32)}
        return describe(found, self.output_specs)
