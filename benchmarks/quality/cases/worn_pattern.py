"""Draw repeating patterns like laid tiles and old paper: procedural, slightly displaced, worn and noisy."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

CELL = 96
"""Number of samples of a drawn cell along each side."""
PERIODS = (0.14, 0.36)
"""Smallest and largest period, as fractions of the image's side."""
DISPLACED, WORN, NOISE = 0.01, 0.06, 0.01
"""Standard deviations of the displacement (in mean periods), of the relative brightness, and of the noise."""


def worn_pattern(
    seed: int | Generator,
    size: int = 256,
    *,
    displaced: float = DISPLACED,
    worn: float = WORN,
    noise: float = NOISE,
) -> NDArray:
    """Draw a pattern of shapes that repeats on a random, turned lattice.

    Parameters
    ----------
    seed : int or Generator
        The same seed gives the same pattern.
    size : int
        Side in pixels.
    displaced : float
        Standard deviation of a smooth displacement, in mean periods.
    worn : float
        Standard deviation of a smooth relative change of brightness.
    noise : float
        Standard deviation of noise, the same in all channels.

    Returns
    -------
    ndarray of shape (Y, X, 3), float64 in [0, 1]
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    rng = np.random.default_rng(seed)
    cell = _cell(rng)
    turn, opening = rng.uniform(0, np.pi), rng.uniform(np.pi / 3, np.pi / 2)
    lengths = rng.uniform(*PERIODS, 2) * size
    angles = np.array([turn, turn + opening])
    vectors = lengths * np.stack([np.cos(angles), np.sin(angles)])  # (2, 2), one period vector per column
    moved = np.stack([gaussian_filter(rng.standard_normal((size, size)), size / 10) for _ in range(2)])
    moved *= displaced * lengths.mean() / moved.std()
    place = np.einsum("ij,jyx->iyx", np.linalg.inv(vectors), np.mgrid[:size, :size] + moved) * CELL
    channels = [map_coordinates(cell[..., c], place, order=1, mode="grid-wrap") for c in range(3)]
    wear = gaussian_filter(rng.standard_normal((size, size)), size / 40)
    grain = rng.standard_normal((size, size))
    image = np.stack(channels, axis=-1) * (1 + worn * wear / wear.std())[..., None] + noise * grain[..., None]
    return np.clip(image, 0, 1)


def _cell(rng: Generator) -> NDArray:
    """Draw ellipses and boxes in four colours on a ground, continued over the border: (CELL, CELL, 3)."""
    y, x = np.mgrid[:CELL, :CELL] / CELL
    image = np.ones((CELL, CELL, 3)) * rng.uniform(0.1, 0.9, 3)
    colours = rng.uniform(0.05, 0.95, (4, 3))
    for _ in range(rng.integers(5, 14)):
        centre, radius = rng.uniform(0, 1, 2), rng.uniform(0.06, 0.3)
        turn, stretch, power = rng.uniform(0, np.pi), rng.uniform(0.3, 1), rng.choice([2, 2, 8])
        dy, dx = (y - centre[0] + 0.5) % 1 - 0.5, (x - centre[1] + 0.5) % 1 - 0.5
        u, v = dy * np.cos(turn) - dx * np.sin(turn), (dy * np.sin(turn) + dx * np.cos(turn)) / stretch
        inside = radius - (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power)
        image += np.clip(inside * CELL / 2, 0, 1)[..., None] * (colours[rng.integers(4)] - image)
    return image
