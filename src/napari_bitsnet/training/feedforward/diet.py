"""Which images the method `feedforward` is trained on and validated with, and how often each collection is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_bitsnet.data.datasets import PackedImages
from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.training.feedforward.bank import ImageBank

HOLD_OUT = 40
"""One image in so many is kept for validation."""


@dataclass(frozen=True)
class Diet:
    """Collections to train on and to validate with, and the chance of each."""

    used: Sequence[ImageBank]
    kept: Sequence[ImageBank]
    chances: Sequence[float]


def make_diet(
    collections: Sequence[PackedImages],
    size: int,
    *,
    procedural: float,
    drawn: int,
    seed: int = 0,
    device: str = "cpu",
) -> Diet:
    """Put images onto the device.

    Every folder or zip is drawn from equally often, so that a thousand whole scenes are not lost among many
    small pictures. Those of pictures smaller than half of `size` are left out.

    Parameters
    ----------
    collections : sequence of PackedImages
        One a folder or zip.
    size : int
        Side of the pictures that are trained on, in pixels.
    procedural : float
        Part of the images that are drawn by rules, in [0, 1].
    drawn : int
        Number of these.
    seed : int
        Their seed.
    device : str
        A torch device.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    loaded = [images for images in collections if np.median(images.shapes.min(axis=1)) >= size / 2]
    if not loaded and procedural < 1:
        raise ValueError(f"Expected images of at least {size} x {size} pixels, got only smaller ones.")
    chances = [(1 - procedural) / max(len(loaded), 1)] * len(loaded)
    if procedural:
        loaded.append(procedural_images(drawn, min(2 * size, 128), seed=seed))
        chances.append(procedural)
    if min(len(images) for images in loaded) < 2:
        raise ValueError(
            "Expected at least two images in each folder or zip, got one: one is for validation."
        )

    def part(images: PackedImages, *, kept: bool) -> ImageBank:
        index, every = np.arange(len(images)), min(HOLD_OUT, len(images))
        return ImageBank(images.subset(index[(index % every == every - 1) == kept]), device)

    return Diet([part(p, kept=False) for p in loaded], [part(p, kept=True) for p in loaded], chances)
