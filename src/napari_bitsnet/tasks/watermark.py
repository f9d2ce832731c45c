"""Remove a watermark from several images, or from a region of one image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.hints import box_mask
from napari_bitsnet.core.images import check_image, normalise, restore
from napari_bitsnet.core.mixing import Overlay
from napari_bitsnet.core.outputs import Output, OutputSpec, describe
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.tasks import TASKS, BaseTask, Built, Input, Inputs

if TYPE_CHECKING:
    from torch import Tensor

LEAST_SIZE = 16
"""Smallest side of an image in which a mark can be found, in pixels."""


class WatermarkConfig(Config):
    """Settings of the task."""

    box: tuple[float, ...] | None = setting(
        None, "Box around the mark: y0, x0, y1, x1 in pixels; y1 and x1 are exclusive."
    )
    colour: tuple[float, ...] | None = setting(
        None,
        "Colour in the image's units, one value per channel; none takes white for one image, else estimates "
        "it.",
    )
    opacity: float | None = setting(None, "Opacity of the mark; none estimates it.", ge=0.02, le=1, step=0.05)

    @model_validator(mode="after")
    def _check_box(self) -> Self:
        if self.box is not None and (
            len(self.box) != 4 or self.box[0] >= self.box[2] or self.box[1] >= self.box[3]
        ):
            raise ValueError(f"Expected a box y0, x0, y1, x1 with y0 < y1 and x0 < x1, got {self.box}.")
        return self


@TASKS.register("watermark")
class Watermark(BaseTask):
    """``I_m = (1 − a) C_m + a W``: a clean image each, one opacity and one colour for all."""

    name: ClassVar[str] = "watermark"
    title: ClassVar[str] = "Images with a watermark"
    summary: ClassVar[str] = "Removes a watermark from several images, or from a box in one image."
    validated_on: ClassVar[str] = "photographs with computed watermarks"
    Config: ClassVar[type[Config]] = WatermarkConfig
    method: ClassVar[str] = "watermark_matting"
    output_specs: ClassVar[tuple[OutputSpec, ...]] = (
        OutputSpec("clean", "image", "Clean image", "The image without the mark.", layer="front"),
        OutputSpec("clean_#", "image", "Clean image #", "Image # without the mark.", layer="front"),
        OutputSpec("watermark", "difference", "Watermark", "Light that the mark adds, in the images' units."),
        OutputSpec("mask", "map", "Opacity", "Opacity of the mark, from 0 (none) to 1 (opaque).", "YX"),
    )
    inputs: ClassVar[tuple[Input, ...]] = (
        Input(
            "mixture",
            "Images",
            "Images of one size with the same mark in the same place, or one.",
            many=True,
            least=1,
        ),
        Input(
            "mask",
            "Region",
            "Mask or shapes: region of the mark, needed for a single image, which stays unchanged elsewhere.",
            required=False,
        ),
    )

    config: WatermarkConfig

    def traits(self, *, n_observations: int = 2, n_guides: int = 0, has_hints: bool = False) -> Traits:
        """See `Task.traits`: as many clean images as there are marked ones, and the mark, whose region is a
        hint."""
        return Traits(
            n_observations=n_observations, n_sources=n_observations + 1, has_hints=True, mixing="overlay"
        )

    def build(self, inputs: Inputs) -> Built:
        """See `Task.build`; pixels outside the region are known to be clean."""
        import torch

        images = self._read(inputs)
        size = images.shape[1:3]
        region = self._region(inputs, size)
        low, high = _black_and_white(images, inputs.dtype)
        missing = ~np.isfinite(images).all(axis=(0, 3))
        planes = [
            normalise(image, lo=low, hi=high, mask=missing, what=f"image {m + 1}")
            for m, image in enumerate(images if np.ndim(inputs.mixture[0]) == 3 else images[..., 0])
        ]
        hints = np.concatenate([np.repeat(~region[None], len(images), axis=0), region[None]])
        problem = Problem(
            torch.cat([plane.tensor for plane in planes]),
            len(images) + 1,
            mixing=Overlay(colour=self._colour(images.shape[-1], low, high), opacity=self.config.opacity),
            hints=torch.from_numpy(hints[:, None].astype(np.float32)),
            valid=planes[0].valid,
            scaling=planes[0].scaling,
        )
        return Built(problem, images if problem.scaling.has_channels else images[..., 0])

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """See `Task.outputs`: ``clean`` (``clean_1`` … of several), ``watermark`` (what the mark adds) and
        ``mask``.

        ``mask`` is the opacity in [0, 1], so that ``image = (1 − mask) clean + watermark``. Where it is 0 the
        images are unchanged.
        """
        problem = built.problem
        *clean, colour = restore(answer["sources"], problem.scaling, valid=problem.valid)
        opacity = answer["opacity"][0, 0].cpu().numpy().astype(np.float32)
        if problem.valid is not None:
            opacity = np.where(problem.valid[0, 0].cpu().numpy(), opacity, np.float32(np.nan))
        cover = opacity[..., None] if problem.scaling.has_channels else opacity
        found = [
            np.where(cover == 0, original.astype(np.float32), image)
            for image, original in zip(clean, built.observed, strict=True)
        ]
        names = ["clean"] if len(found) == 1 else [f"clean_{m + 1}" for m in range(len(found))]
        images = {**dict(zip(names, found, strict=True)), "watermark": cover * colour, "mask": opacity}
        return describe(images, self.output_specs)

    def _read(self, inputs: Inputs) -> NDArray:
        """Check the images: (M, Y, X, C), without opacity; C is 1 for grey ones."""
        arrays = [check_image(array, f"image {m + 1}") for m, array in enumerate(inputs.mixture)]
        shapes = [array.shape for array in arrays]
        if len(set(shapes)) > 1 or arrays[0].ndim not in (2, 3):
            raise ValueError(
                "Expected images (Y, X) or (Y, X, C) of one size with the mark in the same place, got "
                f"{' and '.join(map(str, shapes))}: crop them so that their marks coincide."
            )
        if min(shapes[0][:2]) < LEAST_SIZE:
            raise ValueError(
                f"Expected at least {LEAST_SIZE} x {LEAST_SIZE} pixels to find a mark on, got "
                f"{shapes[0][0]} x {shapes[0][1]}."
            )
        stacked = np.stack(arrays)
        if stacked.ndim == 3:
            return stacked[..., None]
        return stacked[..., :3] if stacked.shape[-1] == 4 else stacked

    def _region(self, inputs: Inputs, size: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return the region (Y, X) in which the mark lies.

        Raises
        ------
        ValueError
            If a mask has another size, nothing is left, or one image comes without a region.
        """
        region = np.ones(size, dtype=bool)
        if self.config.box is not None:
            y0, x0, y1, x1 = self.config.box
            region = box_mask(
                (size[0], size[1]), (math.floor(y0), math.floor(x0), math.ceil(y1), math.ceil(x1))
            )
        if inputs.mask is not None:
            mask = np.asarray(inputs.mask)
            if mask.shape != tuple(size):
                raise ValueError(
                    f"Expected a region of shape {tuple(size)}, got {mask.shape}: draw it over the whole "
                    "image, in its pixels."
                )
            region &= mask.astype(bool)
        elif self.config.box is None and len(inputs.mixture) == 1:
            raise ValueError(
                "Expected a box or a region around the mark of a single image, got none: draw a rectangle "
                "around it, or add images that carry the same mark."
            )
        if not region.any():
            raise ValueError("Expected a region with pixels in it, got an empty one: mark where the mark is.")
        return region

    def _colour(self, channels: int, low: float, high: float) -> tuple[float, ...] | None:
        """Return the given colour on the [0, 1] scale."""
        colour = self.config.colour
        if colour is None:
            return None
        if len(colour) not in (1, channels):
            raise ValueError(
                f"Expected a colour of {channels} values, one per channel, got {len(colour)}: {colour}."
            )
        values = colour if len(colour) == channels else colour * channels
        return tuple(float(np.clip((value - low) / (high - low), 0, 1)) for value in values)


def _black_and_white(images: NDArray, dtype: np.dtype) -> tuple[float, float]:
    """Return black and white: 0 and 255 for 8 bits, 0 and 1 for fractions, else 0 and the largest value."""
    least, most = float(np.nanmin(images)), float(np.nanmax(images))
    white = 255.0 if dtype == np.uint8 else 1.0 if most <= 1 and np.issubdtype(dtype, np.floating) else most
    return min(0.0, least), white
