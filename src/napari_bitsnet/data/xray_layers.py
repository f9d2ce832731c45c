"""Simulate the parts of a painting's X-radiograph: pigments, an abandoned design, cracks, the support."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.fields import fractal_field, grid, smooth_field, streaks
from napari_bitsnet.data.paintings import Scene, figure


@dataclass(frozen=True)
class Pigments:
    """X-ray densities of a painting's colours, by pigment.

    Parameters
    ----------
    members : ndarray of shape (Y, X, N)
        Memberships of the N pigments; they add up to one.
    shades : ndarray of shape (Y, X, N)
        Brightness relative to the pigment's centre.
    weights, slopes : ndarrays of shape (N,)
        Density of each pigment, and its slope with brightness.
    fields : ndarray of shape (N, Y, X)
        Smooth fields of standard deviation 1 along which the densities drift.
    drift : float
        Relative standard deviation of the drift.
    """

    members: NDArray
    shades: NDArray
    weights: NDArray
    slopes: NDArray
    fields: NDArray
    drift: float

    @property
    def density(self) -> NDArray:
        """Return ``sum_n members_n (weight_n + slope_n shade_n) (1 + drift field_n)``, (Y, X)."""
        density = np.zeros(self.members.shape[:2])
        for n, (weight, slope) in enumerate(zip(self.weights, self.slopes, strict=True)):
            shaded = weight + slope * self.shades[..., n]
            density += self.members[..., n] * shaded * (1 + self.drift * self.fields[n])
        return density


def draw_pigments(
    rng: np.random.Generator,
    image: NDArray,
    drift: float,
    *,
    pigments: int = 14,
    width: float = 0.06,
    length: float = 1 / 6,
) -> Pigments:
    """Find the colours of a painting and draw their X-ray densities, which drift over the panel.

    Parameters
    ----------
    rng : Generator
        Source of all randomness.
    image : ndarray of shape (Y, X, 3)
        The painting in [0, 1].
    drift : float
        Relative standard deviation of each weight over the panel.
    pigments : int
        Number of colour clusters.
    width : float
        Width of the borders between them, on the [0, 1] scale.
    length : float
        Correlation length of the drift, as a fraction of the shorter side.

    Returns
    -------
    Pigments
        Weights are slightly larger for bright clusters (lead white).
    """
    colours = image.reshape(-1, 3)
    sample = colours[rng.choice(len(colours), min(4000, len(colours)), replace=False)]
    centres = sample[:pigments].copy()
    for _ in range(15):  # k-means (Lloyd)
        nearest = ((sample[:, None] - centres) ** 2).sum(-1).argmin(1)
        for c in np.unique(nearest):
            centres[c] = sample[nearest == c].mean(0)
    squared = ((colours[:, None] - centres) ** 2).sum(-1)
    closeness = np.exp(-(squared - squared.min(1, keepdims=True)) / (2 * width**2))
    members = (closeness / closeness.sum(1, keepdims=True)).reshape(*image.shape[:2], -1)
    brightness, middle = image.mean(-1), centres.mean(-1)
    weights, slopes, fields = [], [], []
    for c in range(len(centres)):
        weights.append(0.4 * middle[c] + 0.6 * rng.uniform())
        slopes.append(rng.uniform(0.0, 0.8))
        fields.append(smooth_field(rng, brightness.shape, length * min(brightness.shape)))
    shades = brightness[..., None] - middle
    return Pigments(members, shades, np.array(weights), np.array(slopes), np.array(fields), drift)


def abandoned_design(rng: np.random.Generator, size: tuple[int, int]) -> NDArray:
    """Draw a covered figure in a part of the panel; mean 0, standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    scene = Scene(rng, size)
    scene.image[:] = 0.4
    height = rng.uniform(0.2, 0.35)
    figure(scene, rng.uniform(0.25, 0.45), rng.uniform(0.25, 0.75), height, halo=bool(rng.uniform() < 0.5))
    design = gaussian_filter(scene.image.mean(-1) - 0.4, min(size) / 170)
    design = design * (1 + 0.3 * smooth_field(rng, size, min(size) / 10))
    return (design - design.mean()) / design.std()


def cracks(rng: np.random.Generator, size: tuple[int, int]) -> NDArray:
    """Draw craquelure: thin lines between the cells of a warped mosaic, from 0 (none) to 1 (open)."""
    from scipy.spatial import cKDTree

    y, x = grid(size)
    y = y + 0.025 * fractal_field(rng, size, 1.6)
    x = x + 0.025 * fractal_field(rng, size, 1.6)
    centres = rng.uniform(-0.1, 1.1, (int(rng.integers(40, 120)), 2))
    distances, _ = cKDTree(centres).query(np.stack([y, x], -1), k=2)
    gap = (distances[..., 1] - distances[..., 0]) * min(size) / 2  # pixels to the border between cells
    opening = np.clip(0.4 + 0.7 * smooth_field(rng, size, min(size) / 12), 0, 1)
    return np.clip(1.2 - gap, 0, 1) * opening


def support(rng: np.random.Generator, size: tuple[int, int]) -> NDArray:
    """Draw wood grain or canvas weave; mean 0, standard deviation 1."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    if rng.uniform() < 0.5:
        bend = 3 * smooth_field(rng, size, (size[0] / 3, size[1] / 8))
        rings = np.sin(2 * np.pi * (x + bend) / rng.uniform(7, 14) + 2 * smooth_field(rng, size, (60, 8)))
        fibres = streaks(rng.standard_normal(size), np.full(size, np.pi / 2), 10)
        pattern = rings + 2 * fibres
    else:
        pitch = rng.uniform(3.5, 5.0)
        wobble = 0.8 * smooth_field(rng, size, 20), 0.8 * smooth_field(rng, size, 20)
        warp, weft = np.sin(2 * np.pi * (x + wobble[0]) / pitch), np.sin(2 * np.pi * (y + wobble[1]) / pitch)
        slubs = smooth_field(rng, size, (1, 15)) + smooth_field(rng, size, (15, 1))
        pattern = warp + weft + 0.8 * slubs
    return (pattern - pattern.mean()) / pattern.std()
