"""Simulate brush strokes: paint an image with dabs of colour and record the relief of the paint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.fields import fractal_field, smooth_field

ANGLES, VARIANTS = 16, 4
"""Directions of the brush, and strokes that are drawn for each: enough that no repetition is seen."""


def stroke_stamps(rng: np.random.Generator, radius: float) -> list[list[tuple[NDArray, NDArray]]]:
    """Make the dabs of one brush: for each angle, variants of (opacity, relief), square and of odd size.

    Parameters
    ----------
    rng : Generator
        Source of all randomness.
    radius : float
        Half width of the brush in pixels; dabs are three times as long as wide.
    """
    half = int(np.ceil(3.2 * radius)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(float)
    bank = []
    for a in range(ANGLES):
        angle = np.pi * a / ANGLES
        along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        variants = []
        for _ in range(VARIANTS):
            bend = rng.uniform(-0.12, 0.12) * along**2 / (3 * radius)
            offset = (across - bend) / radius
            edge = np.maximum(np.abs(along) / (3 * radius), np.abs(offset))
            opacity = np.clip((1.0 - edge) * radius + 0.5, 0, 1)
            hairs = np.cos(2 * np.pi * (offset * rng.uniform(0.8, 1.4) + rng.uniform()))
            ridge = 0.5 * np.clip(np.abs(offset) - 0.55, 0, 1)  # paint is pushed to the sides
            relief = opacity * (0.8 + 0.2 * hairs + ridge + 0.25 * along / (3 * radius))
            variants.append((opacity * (0.85 + 0.15 * (hairs > -0.6)), relief))
        bank.append(variants)
    return bank


def stroke_angles(rng: np.random.Generator, image: NDArray, length: float) -> NDArray:
    """Return smooth directions along the contours of `image` (Y, X), in radians, 0 along x."""
    from scipy.ndimage import gaussian_filter

    dy, dx = np.gradient(gaussian_filter(image, 0.5 * length))
    yy, xx, xy = (gaussian_filter(p, length) for p in (dy * dy, dx * dx, dy * dx))
    wander = np.pi * smooth_field(rng, image.shape, 8 * length)
    strength = 0.3 * float(np.mean(yy + xx)) + 1e-9
    return (
        0.5 * np.arctan2(2 * xy + strength * np.sin(wander), xx - yy + strength * np.cos(wander)) + np.pi / 2
    )


def paint(rng: np.random.Generator, scene: NDArray, *, detail: float = 1.0) -> tuple[NDArray, NDArray]:
    """Paint a scene with brush strokes, from coarse to fine.

    Parameters
    ----------
    rng : Generator
        Source of all randomness.
    scene : ndarray of shape (Y, X, 3)
        Scene to paint, in [0, 1].
    detail : float
        Fraction of the fine strokes that are set; small values give a sketch.

    Returns
    -------
    painting : ndarray of shape (Y, X, 3)
        In [0, 1].
    relief : ndarray of shape (Y, X)
        Thickness of the paint, mean 0, standard deviation 1.

    References
    ----------
    After Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes", SIGGRAPH 1998,
    doi:10.1145/280814.280951.
    Departure: straight dabs from a bank of stamps.
    """
    from scipy.ndimage import gaussian_filter

    height, width = scene.shape[:2]
    unit = min(height, width) / 256
    canvas = np.clip(scene.mean(axis=(0, 1)) + 0.06 * smooth_field(rng, (height, width), 3)[..., None], 0, 1)
    relief = 0.3 * fractal_field(rng, (height, width), 1.0)
    for radius in (6.0 * unit, 3.0 * unit, 1.6 * unit):
        target = gaussian_filter(scene, (0.5 * radius, 0.5 * radius, 0))
        angle = stroke_angles(rng, target.mean(-1), 1.5 * radius)
        bank = stroke_stamps(rng, radius)
        half = bank[0][0][0].shape[0] // 2
        spacing = 1.1 * radius if radius > 2 * unit else 1.4 * radius
        rows, columns = int(height / spacing), int(width / spacing)
        spots = np.argwhere(np.ones((rows, columns))).astype(float)
        spots = ((spots + rng.uniform(0, 1, spots.shape)) * spacing).astype(int)
        spots = np.minimum(rng.permutation(spots), [height - 1, width - 1])
        if radius <= 2 * unit:  # fine strokes only where the scene has details
            missed = np.abs(gaussian_filter(scene, (0.5, 0.5, 0)) - canvas).sum(-1)
            missed = gaussian_filter(missed, radius)[spots[:, 0], spots[:, 1]]
            spots = spots[missed > np.quantile(missed, 1 - 0.7 * detail)]
        tones = target[spots[:, 0], spots[:, 1]]
        tones = tones * (1 + 0.05 * rng.standard_normal((len(spots), 1))) + 0.02 * rng.standard_normal(
            tones.shape
        )
        turns = angle[spots[:, 0], spots[:, 1]] + 0.15 * rng.standard_normal(len(spots))
        which = np.round(turns / np.pi * ANGLES).astype(int) % ANGLES
        loads = rng.uniform(0.4, 1.6, len(spots)) * np.sqrt(radius / unit)
        variants = rng.integers(VARIANTS, size=len(spots))
        for (row, column), tone, angle_index, variant, load in zip(
            spots, tones, which, variants, loads, strict=True
        ):
            opacity, bump = bank[angle_index][variant]
            top, left = max(row - half, 0), max(column - half, 0)
            bottom, right = min(row + half + 1, height), min(column + half + 1, width)
            inside = (
                slice(top - row + half, bottom - row + half),
                slice(left - column + half, right - column + half),
            )
            alpha = opacity[inside]
            window = (slice(top, bottom), slice(left, right))
            canvas[window] += alpha[..., None] * (tone - canvas[window])
            relief[window] += alpha * (load * bump[inside] - 0.7 * relief[window])
    relief = relief - gaussian_filter(relief, 12 * unit)
    return np.clip(canvas, 0, 1), relief / relief.std()
