"""Segment a foreground: estimate a nearly binary mask and both completed layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.hints import hint_maps
from napari_bitsnet.core.images import normalise, restore, without_opacity
from napari_bitsnet.core.mixing import Cutout
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.outputs import Output, OutputSpec, describe
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.tasks import TASKS, BaseTask, Built, Input, Inputs

if TYPE_CHECKING:
    from torch import Tensor

LEAST_SIZE = 8
"""Smallest side of an image that can be segmented, in pixels."""

MOST_REGIONS = 16
"""Largest label of hints."""

AROUND = 0.6
"""Part of the image's edge that is foreground above which a notice asks about the marks: with marks in their
places at most 0.4 on the benchmark's ten photographs, with exchanged ones above it on at least eight."""


class SegmentConfig(Config):
    """Settings of the task."""

    above: float = setting(
        0.94,
        "With a saliency image: fraction of the pixels below the foreground's saliency.",
        ge=0.5,
        le=1,
        step=0.01,
    )
    below: float = setting(
        0.06,
        "With a saliency image: fraction of the pixels that certainly is background.",
        ge=0,
        le=0.5,
        step=0.01,
    )


@TASKS.register("segment")
class Segment(BaseTask):
    """``I = m F + (1 − m) B``: two layers and a mask, told apart by hints, by a saliency image, or by the
    border."""

    name: ClassVar[str] = "segment"
    title: ClassVar[str] = "Foreground and background"
    summary: ClassVar[str] = "Separates a foreground from its background and completes both."
    validated_on: ClassVar[str] = "photographs with outlines drawn by a network and checked by eye"
    Config: ClassVar[type[Config]] = SegmentConfig
    method: ClassVar[str] = "grabcut"
    output_specs: ClassVar[tuple[OutputSpec, ...]] = (
        OutputSpec(
            "foreground", "image", "Foreground", "The foreground, completed behind its edges.", layer="front"
        ),
        OutputSpec("background", "image", "Background", "The background, completed behind the foreground."),
        OutputSpec("mask", "map", "Opacity", "Opacity of the foreground: 0 background, 1 foreground.", "YX"),
        OutputSpec(
            "labels",
            "labels",
            "Labels",
            "1 is foreground, 2 background, further numbers are further regions, and 0 is a missing pixel.",
            "YX",
        ),
    )
    inputs: ClassVar[tuple[Input, ...]] = (
        Input("mixture", "Image", "The image to segment."),
        Input(
            "hints",
            "Hints",
            "Labels: 1 on the foreground, 2 on the background, a scribble each; 3 and more on further "
            "regions.",
            required=False,
        ),
        Input(
            "guides",
            "Saliency",
            "Instead of hints: an image that is bright where the foreground stands out.",
            required=False,
        ),
        Input("mask", "Ignore", "Mask: pixels to exclude.", required=False),
    )

    config: SegmentConfig

    def traits(self, *, n_observations: int = 1, n_guides: int = 0, has_hints: bool = False) -> Traits:
        """See `Task.traits`: where there are no hints, `build` makes some."""
        return Traits(n_sources=2, has_hints=True, mixing="cutout")

    def build(self, inputs: Inputs) -> Built:
        image = normalise(inputs.mixture, mask=inputs.mask)
        size = (image.tensor.shape[-2], image.tensor.shape[-1])
        if min(size) < LEAST_SIZE:
            raise ValueError(
                f"Expected at least {LEAST_SIZE} x {LEAST_SIZE} pixels, got {size[0]} x {size[1]}."
            )
        problem = Problem(
            image.tensor,
            2,  # layers; further regions are parts of the background
            mixing=Cutout(),
            hints=self._marks(inputs, image.tensor),
            valid=image.valid,
            scaling=image.scaling,
        )
        return Built(problem, without_opacity(inputs.mixture))

    def _marks(self, inputs: Inputs, image: Tensor) -> Tensor:
        """Return hints (K, 1, H, W), K >= 2: painted ones, those of a saliency image, or guessed ones.

        Raises
        ------
        ValueError
            If a region is not marked, a label is above `MOST_REGIONS`, the saliency image has another size,
            or there is more than one of all these.
        """
        from napari_bitsnet.methods.random_walker.walk import automatic_hints, saliency_hints

        size = (image.shape[-2], image.shape[-1])
        salient = [guide for guide in inputs.guides if guide is not None]
        if len(salient) + (inputs.hints is not None) > 1:
            raise ValueError(
                f"Expected hints or one saliency image, got {len(salient)} of them"
                f"{'' if inputs.hints is None else ' and hints'}: leave out what is too many."
            )
        if inputs.hints is not None:
            marks = np.asarray(inputs.hints)
            n = int(marks.max(initial=0)) if np.issubdtype(marks.dtype, np.integer) else 0
            hints = hint_maps(marks, min(max(2, n), MOST_REGIONS), shape=size)
            missing = (
                [1, 2] if hints is None else (~hints.flatten(1).any(dim=1)).nonzero()[:, 0].add(1).tolist()
            )
            if missing:
                raise ValueError(
                    "Expected hints on foreground (1) and background "
                    f"(2){' and each region' if n > 2 else ''}, got none of label "
                    f"{' and '.join(map(str, missing))}: scribble on all of them, or give no hints at all."
                )
            assert hints is not None  # without hints, labels are missing
            return hints
        if not salient:
            return automatic_hints(image)
        found = normalise(salient[0], what="the saliency image").tensor
        if tuple(found.shape[-2:]) != size:
            raise ValueError(
                f"Expected a saliency image of {size} pixels (Y, X), got {tuple(found.shape[-2:])}: resize "
                "it."
            )
        return saliency_hints(found, above=self.config.above, below=self.config.below)

    def notices(self, built: Built, inputs: Inputs, outputs: Mapping[str, Output]) -> list[Notice]:
        """See `Task.notices`: where marks seem to be exchanged, or the method knows two regions only."""
        if inputs.hints is None:
            return []
        labels = np.asarray(outputs["labels"])
        return [*foreground_around(labels), *regions_joined(np.asarray(inputs.hints), labels)]

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """See `Task.outputs`: ``foreground`` and ``background``, ``mask`` in [0, 1], ``labels``.

        Both layers are completed. Labels are those of the hints, and 0 where pixels are missing.
        """
        problem = built.problem
        foreground, background = restore(answer["sources"], problem.scaling, valid=problem.valid)
        mask = answer["opacity"][0, 0].cpu().numpy().astype(np.float32)
        labels = np.where(mask > 0.5, 1, 2).astype(np.uint8)
        regions = answer.get("regions")
        if regions is not None and len(regions) > 2:
            among = 2 + regions[1:, 0].argmax(dim=0).cpu().numpy()
            labels = np.where(mask > 0.5, 1, among).astype(np.uint8)
        if problem.valid is not None:
            seen = problem.valid[0, 0].cpu().numpy()
            mask, labels = np.where(seen, mask, np.float32(np.nan)), labels * seen
        found = {"foreground": foreground, "background": background, "mask": mask, "labels": labels}
        return describe(found, self.output_specs)


def regions_joined(marks: NDArray, labels: NDArray) -> list[Notice]:
    """Return a notice if regions were marked that the answer does not tell apart.

    Parameters
    ----------
    marks, labels : integer array of shape (Y, X)
        Hints, and the answer: 1 foreground, 2 background, further numbers further regions.
    """
    if marks.max(initial=0) <= 2 or labels.max(initial=0) > 2:
        return []
    return [
        Notice(
            "hints",
            "This method tells two regions apart: labels from 3 on were taken for background.",
            "Choose the method grabcut for more regions.",
        )
    ]


def foreground_around(labels: NDArray) -> list[Notice]:
    """Return a notice if the foreground lies around the background, as it does where marks were exchanged.

    Parameters
    ----------
    labels : integer array of shape (Y, X)
        1 foreground, 2 background, 0 unknown.
    """
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    known = edge[edge > 0]
    part = float((known == 1).mean()) if known.size else 0.0
    if part <= AROUND or not (labels == 2).any():
        return []
    return [
        Notice(
            "hints",
            "The foreground reaches {part:.0%} of the image's edge and lies around the background:",
            "if the marks are the other way round, exchange the labels 1 (foreground) and 2 (background).",
            {"part": part},
        )
    ]
