"""Collections of images for training and validation of the method `feedforward`, and how often each is
used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_bitsnet.data.datasets import PackedImages
from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.training.feedforward.bank import ImageBank

HOLD_OUT = 40
"""Number of images for each one that is held out for validation."""


@dataclass(frozen=True)
class Diet:
    """Collections for training and validation, and the probability of each."""

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
    """Copy the images to the device.

    Every folder or zip is used equally often, so that a thousand whole scenes are not lost among many small
    pictures. Collections of pictures smaller than half of `size` are left out.

    Parameters
    ----------
    collections : sequence of PackedImages
        One for each folder or zip.
    size : int
        Side of the training pictures in pixels.
    procedural : float
        Fraction of procedural images, in [0, 1].
    drawn : int
        Number of procedural images.
    seed : int
        Seed of the procedural images.
    device : str
        A torch device.

    Raises
    ------
    ValueError
        If no collection is left.
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
