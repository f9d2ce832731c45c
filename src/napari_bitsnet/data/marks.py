"""Simulate watermarks with known truth: rings and letters over images, with an opacity and a colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FINER = 4
"""Number of subpixels along each axis for drawing a mark."""
GLYPHS: dict[str, list[list[tuple[float, float]]]] = {
    "A": [[(1, 0), (0, 0.5), (1, 1)], [(0.62, 0.2), (0.62, 0.8)]],
    "E": [[(0, 1), (0, 0), (1, 0), (1, 1)], [(0.5, 0), (0.5, 0.8)]],
    "M": [[(1, 0), (0, 0), (0.6, 0.5), (0, 1), (1, 1)]],
    "N": [[(1, 0), (0, 0), (1, 1), (0, 1)]],
    "S": [[(0, 1), (0, 0), (0.5, 0), (0.5, 1), (1, 1), (1, 0)]],
    "T": [[(0, 0), (0, 1)], [(0, 0.5), (1, 0.5)]],
    "V": [[(0, 0), (1, 0.5), (0, 1)]],
    "Z": [[(0, 0), (0, 1), (1, 0), (1, 1)]],
}
"""Corners (y, x) of a letter's strokes, in a unit square."""


@dataclass(frozen=True)
class Marked:
    """Images with the same watermark, ``I_m = (1 − a) C_m + a W``.

    Parameters
    ----------
    images : ndarray of shape (M, Y, X, C)
        uint8.
    clean : ndarray of shape (M, Y, X, C)
        Images without the mark, uint8.
    opacity : ndarray of shape (Y, X)
        a in [0, 1].
    colour : tuple of float
        W, in grey levels of the images.
    box : (y0, x0, y1, x1)
        Box around the mark, with a margin, in pixels.
    """

    images: NDArray
    clean: NDArray
    opacity: NDArray
    colour: tuple[float, ...]
    box: tuple[int, int, int, int]


def draw_mark(seed: int, shape: tuple[int, int], *, letters: int = 5) -> NDArray:
    """Draw a mark's shape: a ring and a word of strokes across the middle.

    Parameters
    ----------
    seed : int
        The same seed gives the same mark.
    shape : (Y, X)
        Pixels.
    letters : int
        Number of letters of the word.

    Returns
    -------
    ndarray of shape (Y, X), float64 in [0, 1]
        1 inside, 0 outside; along outlines the covered fraction of the pixel.
    """
    rng = np.random.default_rng(seed)
    height, width = (FINER * n for n in shape)
    y, x = np.mgrid[:height, :width] + 0.5
    size = 0.62 * width / (letters + 1.5)
    stroke = rng.uniform(0.07, 0.11) * size
    middle = (0.5 + rng.uniform(-0.08, 0.08)) * height
    left = 0.19 * width
    distance = np.abs(np.hypot(y - middle, x - left) - 0.62 * size) - 0.6 * stroke
    for k, letter in enumerate(rng.choice(list(GLYPHS), letters)):
        corner = np.array([middle - size / 2, left + (k + 1.05) * size * 1.22])
        for line in GLYPHS[letter]:
            points = corner + np.array(line) * (size, 0.85 * size)
            for start, end in pairwise(points):
                along = end - start
                part = ((y - start[0]) * along[0] + (x - start[1]) * along[1]) / (along @ along)
                part = np.clip(part, 0, 1)
                away = np.hypot(y - start[0] - part * along[0], x - start[1] - part * along[1])
                distance = np.minimum(distance, away - stroke)
    inside = (distance < 0).astype(float)
    return inside.reshape(shape[0], FINER, shape[1], FINER).mean(axis=(1, 3))


def lay_mark(
    images: Sequence[NDArray],
    *,
    opacity: float = 0.5,
    colour: Sequence[float] = (1.0, 1.0, 1.0),
    seed: int = 0,
    margin: int = 4,
) -> Marked:
    """Overlay one mark on several images and round to 8 bits.

    Parameters
    ----------
    images : sequence of ndarray of shape (Y, X, 3)
        Images in [0, 1], all of the same size.
    opacity : float
        In (0, 1]; 1 hides the image below.
    colour : sequence of three float
        Colour of the mark, in [0, 1].
    seed : int
        Seed of the mark's shape.
    margin : int
        Margin of the box around the mark, in pixels.
    """
    clean = np.round(np.stack(images) * 255)
    shape = draw_mark(seed, clean.shape[1:3])
    cover = opacity * shape[..., None]
    grey = 255 * np.asarray(colour, dtype=float)
    rows, columns = (np.flatnonzero(shape.any(axis=axis)) for axis in (1, 0))
    box = (
        max(0, int(rows[0]) - margin),
        max(0, int(columns[0]) - margin),
        min(shape.shape[0], int(rows[-1]) + 1 + margin),
        min(shape.shape[1], int(columns[-1]) + 1 + margin),
    )
    marked = np.round((1 - cover) * clean + cover * grey)
    return Marked(marked.astype(np.uint8), clean.astype(np.uint8), opacity * shape, tuple(grey.tolist()), box)
