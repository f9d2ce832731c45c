"""Damage images in a known way: noise, missing pixels, haze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.hints import scribble_mask
from napari_bitsnet.data.fields import grid, smooth_field

N_STROKES = 14
"""Number of scratches that `scratches` draws."""


def add_noise(image: NDArray, sigma: float, *, seed: int = 0) -> NDArray:
    """Add white Gaussian noise of standard deviation `sigma`, in the image's units; not clipped."""
    return image + sigma * np.random.default_rng(seed).standard_normal(image.shape)


def missing_at_random(shape: tuple[int, int], part: float, *, seed: int = 0) -> NDArray[np.bool_]:
    """Draw a mask (Y, X), True with probability `part`, independently for each pixel."""
    return np.random.default_rng(seed).random(shape) < part


def scratches(shape: tuple[int, int], *, seed: int = 0) -> NDArray[np.bool_]:
    """Draw a mask (Y, X), True on long curved scratches that are 2 to 5 pixels wide."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    size = np.array(shape)
    for _ in range(N_STROKES):
        corner = rng.uniform(0, 1, 2) * size
        turn = rng.uniform(0, 2 * np.pi)
        points = [corner]
        for _ in range(5):
            turn += rng.normal(0, 0.5)
            points.append(points[-1] + 0.08 * size.mean() * np.array([np.sin(turn), np.cos(turn)]))
        mask |= scribble_mask(shape, np.array(points), width=int(rng.integers(2, 6)))
    return mask


@dataclass(frozen=True)
class Hazy:
    """Scene behind haze, ``I = t J + (1 - t) A``.

    Parameters
    ----------
    image, scene : ndarray of shape (Y, X, 3)
        I and J, in [0, 1].
    transmission : ndarray of shape (Y, X)
        t in (0, 1].
    airlight : tuple of float
        A.
    """

    image: NDArray
    scene: NDArray
    transmission: NDArray
    airlight: tuple[float, ...]


def lay_haze(scene: NDArray, *, seed: int = 0) -> Hazy:
    """Simulate haze over a photograph; its depth grows towards the top, with smooth hills.

    Parameters
    ----------
    scene : ndarray of shape (Y, X, 3)
        In [0, 1].
    seed : int
        Seed of depth, density and airlight.

    Notes
    -----
    ``t = 0.95 exp(-beta d)`` with d from 0 to 1 and beta from 1.2 to 1.8; A is light grey with little tint.
    """
    rng = np.random.default_rng(seed)
    shape = scene.shape[:2]
    y, _ = grid(shape)
    depth = -0.9 * y + 0.08 * smooth_field(rng, shape, 0.12 * max(shape))
    depth = (depth - depth.min()) / np.ptp(depth)
    transmission = 0.95 * np.exp(-rng.uniform(1.2, 1.8) * depth)
    airlight = rng.uniform(0.75, 0.92) + rng.uniform(-0.04, 0.04, 3)
    image = transmission[..., None] * scene + (1 - transmission[..., None]) * airlight
    return Hazy(image, scene, transmission, tuple(float(value) for value in airlight))
