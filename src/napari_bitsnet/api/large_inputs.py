"""Inputs of an image that does not fit into memory: read window by window, and reduced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.planes import PlaneReading, Planes
from napari_bitsnet.core.displacement import Window

LEAST_SEEN = 0.5
"""A pixel at reduced size is missing where less than this part of its pixels is there."""


@dataclass(frozen=True)
class Windows:
    """Reads windows of one array.

    Parameters
    ----------
    array : array-like
        Of one plane; a dask or zarr array stays where it is.
    axes : str
        One letter a dimension.
    reading : PlaneReading
        How a part becomes a plane.
    """

    array: Any
    axes: str
    reading: PlaneReading

    @classmethod
    def of(cls, planes: Planes) -> Windows:
        """Return the windows of the only plane of an array."""
        return cls(planes.array, planes.axes, planes.reading)

    def __call__(self, window: Window) -> NDArray:
        """Return the pixels of a window, (Y, X[, C])."""
        rows = slice(window.top, window.top + window.height)
        columns = slice(window.left, window.left + window.width)
        part = self.array[tuple({"Y": rows, "X": columns}.get(a, slice(None)) for a in self.axes)]
        if hasattr(part, "dask"):  # by the thread that asks: the workers are busy with what waits for it
            part = part.compute(scheduler="synchronous")
        return self.reading(part)


@dataclass(frozen=True)
class LargeInputs:
    """Mixture, guides and mask of one image.

    Parameters
    ----------
    mixture : Windows
    guides : tuple of Windows or None
    mask : Windows or None
    size : (Y, X)
        Of the mixture.
    """

    mixture: Windows
    guides: tuple[Windows | None, ...]
    mask: Windows | None
    size: tuple[int, int]

    def missing(self, window: Window) -> NDArray:
        """Return where pixels of a window are left out by the mask, (Y, X) bool."""
        if self.mask is None:
            return np.zeros((window.height, window.width), bool)
        return np.asarray(self.mask(window)).astype(bool)

    def tiles(self, side: int) -> list[list[Window]]:
        """Return rows of windows of `side` pixels that cover the image; those at its end are smaller."""
        height, width = self.size
        return [
            [
                Window(top, left, min(side, height - top), min(side, width - left))
                for left in range(0, width, side)
            ]
            for top in range(0, height, side)
        ]

    def reduced(self, factor: int, side: int) -> list[NDArray | None]:
        """Return mixture and guides at reduced size, float32 (Y, X[, C]), NaN where pixels are missing.

        Parameters
        ----------
        factor : int
            A pixel is the mean of ``factor`` by ``factor`` pixels.
        side : int
            About how many pixels a side are read at a time, by Dask's workers if there are any.
        """
        import dask

        side = max(1, side // factor) * factor
        shared = dask.delayed(self, pure=False, traverse=False)
        tiles = self.tiles(side)
        nodes = [[dask.delayed(_reduced_window, pure=False)(shared, w, factor) for w in row] for row in tiles]
        (found,) = dask.compute(nodes)
        return [
            None
            if source is None
            else np.concatenate([np.concatenate([tile[k] for tile in row], axis=1) for row in found])
            for k, source in enumerate((self.mixture, *self.guides))
        ]


def _reduced_window(inputs: LargeInputs, window: Window, factor: int) -> list[NDArray | None]:
    mixture = block_means(inputs.mixture(window), factor, inputs.missing(window))
    return [mixture, *(None if g is None else block_means(g(window), factor) for g in inputs.guides)]


def block_means(image: NDArray, factor: int, missing: NDArray | None = None) -> NDArray:
    """Return the means of blocks of pixels that are there, (Y, X[, C]) float32; NaN where too few are.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C)
        A fourth channel is opacity: it is left out, and pixels where it is 0 are missing.
    factor : int
        Side of a block; those at the end of the image are smaller.
    missing : ndarray of shape (Y, X), optional
        True for pixels that are left out.
    """
    planes = image[..., None] if image.ndim == 2 else image[..., :3]
    seen = np.isfinite(planes).all(axis=-1)
    if image.ndim == 3 and image.shape[-1] == 4:
        seen &= image[..., 3] != 0
    if missing is not None:
        seen &= ~missing
    starts = [np.arange(0, n, factor) for n in seen.shape]

    def total(values: NDArray) -> NDArray:
        return np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)

    counts = total(seen.astype(np.float64))
    sums = [total(np.where(seen, planes[..., c], 0).astype(np.float64)) for c in range(planes.shape[-1])]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (np.stack(sums, axis=-1) / counts[..., None]).astype(np.float32)
    sizes: Sequence[NDArray] = [np.diff(np.append(s, n)) for s, n in zip(starts, seen.shape, strict=True)]
    means[counts < LEAST_SEEN * np.outer(*sizes)] = np.nan
    return means[..., 0] if image.ndim == 2 else means
