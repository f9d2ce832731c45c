"""Draw fluorescence images of single structures: nuclei, and fibres of the cytoskeleton."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.fields import smooth_field

BACKGROUND = 0.03
"""Light of the medium, over the brightest structure's."""


def nuclei(size: tuple[int, int], *, seed: int = 0) -> NDArray:
    """Draw round, textured nuclei.

    Parameters
    ----------
    size : (Y, X)
        Pixels.
    seed : int
        Seed of their places, sizes and brightness.

    Returns
    -------
    ndarray of shape (Y, X)
        float64 in [0, 1].
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([seed, 1])
    y, x = np.mgrid[: size[0], : size[1]]
    image = np.zeros(size)
    for _ in range(round(size[0] * size[1] / 1100)):
        centre, radii, turn = rng.uniform(0, size, 2), rng.uniform(6, 11, 2), rng.uniform(0, np.pi)
        dy, dx = y - centre[0], x - centre[1]
        along, across = np.cos(turn) * dx + np.sin(turn) * dy, np.cos(turn) * dy - np.sin(turn) * dx
        inside = (along / radii[0]) ** 2 + (across / radii[1]) ** 2 < 1
        image[inside] = np.maximum(image[inside], rng.uniform(0.4, 1))
    image *= 1 + 0.25 * smooth_field(rng, size, 1.5)
    return _exposed(gaussian_filter(image, 1.0))


def fibres(size: tuple[int, int], *, seed: int = 0) -> NDArray:
    """Draw long, slightly curved fibres; parameters and answer as those of `nuclei`."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([seed, 2])
    image = np.zeros(size)
    for _ in range(round(size[0] * size[1] / 500)):
        place, turn, light = rng.uniform(0, size, 2), rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1)
        for _ in range(int(rng.integers(40, 110))):
            turn += rng.normal(0, 0.05)
            place += (np.sin(turn), np.cos(turn))
            row, column = np.round(place).astype(int)
            if not (0 <= row < size[0] and 0 <= column < size[1]):
                break
            image[row, column] = max(image[row, column], light)
    return _exposed(gaussian_filter(image, 0.8))


def _exposed(image: NDArray) -> NDArray:
    """Scale the brightest part to 1, above a background."""
    bright = max(float(np.percentile(image, 99.8)), 1e-6)
    return np.clip(BACKGROUND + (1 - BACKGROUND) * image / bright, 0, 1)
