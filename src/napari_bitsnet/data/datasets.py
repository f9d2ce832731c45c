"""Store many images of different sizes in one array, and list the photographs held out from training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PackedImages:
    """Many RGB images in one array.

    Parameters
    ----------
    pixels : uint8 array of shape (P,)
        All images, one after another, each (Y, X, 3) in C order.
    shapes : int64 array of shape (N, 2)
        Height and width of each image.
    """

    pixels: NDArray[np.uint8]
    shapes: NDArray[np.int64]

    def __post_init__(self) -> None:
        ends = np.cumsum(self.shapes.prod(axis=1) * 3)
        object.__setattr__(self, "_ends", ends)

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return image `index`, (Y, X, 3)."""
        height, width = self.shapes[index]
        end = int(self._ends[index])  # type: ignore[attr-defined]
        return self.pixels[end - 3 * height * width : end].reshape(height, width, 3)

    def subset(self, indices: NDArray[np.integer]) -> PackedImages:
        """Return the images at `indices`, copied."""
        return pack(self[int(i)] for i in indices)


def pack(images: Iterator[NDArray[np.uint8]]) -> PackedImages:
    """Put (Y, X, 3) uint8 images into one array."""
    flat, shapes = [], []
    for image in images:
        flat.append(np.ascontiguousarray(image).reshape(-1))
        shapes.append(image.shape[:2])
    if not flat:
        raise ValueError("Expected at least one image, got none.")
    return PackedImages(np.concatenate(flat), np.array(shapes, dtype=np.int64))


def reserved_photos() -> frozenset[str]:
    """File names that are held out from training, because the benchmark scores on them."""
    text = files("napari_bitsnet.data").joinpath("reserved_photos.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
