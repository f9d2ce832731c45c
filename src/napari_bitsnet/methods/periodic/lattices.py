"""Find the lattices on which an image repeats: two period vectors each, to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FINEST, COARSEST = 1.0, 16.0
"""Standard deviations of the band-pass filter, in pixels, for an image of 256 pixels a side."""
PEAKS = 30
"""Number of autocorrelation peaks; each pair of them may span a lattice."""
SHORTEST = 6.0
"""Shortest period, in pixels."""
OVERLAP = 0.12
"""Smallest overlap of a shifted copy with the image, as a fraction of the image."""
REACH = np.array([(i, j) for i in range(-12, 13) for j in range(-12, 13) if (i, j) > (0, 0)])
"""Multiples of the period vectors at which the autocorrelation is read; it is symmetric, so half suffice."""
FRONT = 0.1
"""Fraction of the energy that a finer lattice must repeat; a coarser one must add half of this."""
NEAR, FAR = 0.08, 0.8
"""Distances at which `repetition` compares an image with itself, as fractions of its sides."""
SAME = 0.06
"""Deviation from whole numbers, in periods, below which one lattice contains another."""


@dataclass(frozen=True)
class Lattice:
    """Lattice of the points ``i a + j b``, at which a pattern repeats.

    Parameters
    ----------
    a, b : tuple (dy, dx)
        Period vectors, in pixels, the shortest ones of the lattice.
    periodic : float
        Unbiased estimate of the fraction of the image's energy that repeats: 1 for an exact pattern.
    """

    a: tuple[float, float]
    b: tuple[float, float]
    periodic: float = 0.0

    @property
    def matrix(self) -> NDArray:
        """Period vectors as columns, (2, 2)."""
        return np.array([self.a, self.b], dtype=float).T

    @property
    def area(self) -> float:
        """Area of a cell, in pixels."""
        return float(abs(np.linalg.det(self.matrix)))

    def scaled(self, factor: float) -> Lattice:
        """Return the same lattice on an image that is enlarged by a factor."""
        return Lattice(
            (self.a[0] * factor, self.a[1] * factor), (self.b[0] * factor, self.b[1] * factor), self.periodic
        )

    def halves(self) -> list[Lattice]:
        """Return the three lattices of half the cell area that contain it."""
        a, b = np.array(self.a), np.array(self.b)
        pairs = [reduced(*pair) for pair in ((a / 2, b), (a, b / 2), ((a + b) / 2, (a - b) / 2))]
        return [Lattice(_pair(p), _pair(q), self.periodic) for p, q in pairs]

    def contains(self, other: Lattice) -> bool:
        """Return True if the other lattice's period vectors are also periods of this one."""
        multiples = np.linalg.solve(self.matrix, other.matrix)
        return bool(np.abs(multiples - np.round(multiples)).max() < SAME)


def band_pass(image: NDArray, valid: NDArray | None = None) -> NDArray:
    """Remove slow changes and the finest detail from an image (C, H, W); missing pixels become 0."""
    from scipy.ndimage import gaussian_filter

    scale = min(image.shape[-2:]) / 256
    seen = np.ones(image.shape[-2:]) if valid is None else valid.astype(float)
    centred = (image - (image * seen).sum(axis=(1, 2), keepdims=True) / seen.sum()) * seen

    def smooth(channel: NDArray, width: float) -> NDArray:
        return gaussian_filter(channel, width) / np.maximum(gaussian_filter(seen, width), 1e-3)

    fine, coarse = FINEST * min(scale, 1), COARSEST * scale
    return np.stack([(smooth(c, fine) - smooth(c, coarse)) * seen for c in centred])


def autocorrelation(image: NDArray, valid: NDArray | None = None) -> NDArray:
    """Return the autocorrelation (2H, 2W) of an image (C, H, W) at the shifts (y - H, x - W).

    It is 1 without a shift. Sums over the overlap are divided by the number of pixel pairs in it.
    """
    height, width = image.shape[-2:]
    size = (2 * height, 2 * width)
    seen = np.ones((height, width)) if valid is None else valid.astype(float)

    def correlate(field: NDArray) -> NDArray:
        power = np.abs(np.fft.rfft2(field, size)) ** 2
        return np.fft.fftshift(np.fft.irfft2(power.reshape(-1, *power.shape[-2:]).sum(axis=0), size))

    pairs = correlate(seen)
    raw = np.where(pairs > 0.5, correlate(image) / np.maximum(pairs, 0.5), 0)
    return raw / max(float(raw[height, width]), 1e-12)


def repetition(image: NDArray) -> float:
    """Return the largest autocorrelation of an image (C, H, W) at a distance; slow changes are removed.

    It is at most 1. Distances between `NEAR` and `FAR` count, as fractions of the sides. Tiles and wallpaper
    reach 0.6 and more, also under another image; most photographs stay below 0.5.
    """
    correlation = autocorrelation(band_pass(image))
    height, width = image.shape[-2:]
    y, x = np.ogrid[-height:height, -width:width]
    far = np.maximum(np.abs(y) / height, np.abs(x) / width)
    return float(correlation[(np.hypot(y / height, x / width) > NEAR) & (far < FAR)].max())


def reduced(a: NDArray, b: NDArray) -> tuple[NDArray, NDArray]:
    """Return the shortest two vectors of a lattice (Lagrange and Gauss), at most 90 degrees apart."""
    for _ in range(64):
        if a @ a > b @ b:
            a, b = b, a
        multiple = np.round(a @ b / max(float(a @ a), 1e-12))
        if multiple == 0:
            break
        b = b - multiple * a
    return a, (-b if a @ b < 0 else b)


def repeating_energy(
    correlation: NDArray, vectors: NDArray, size: tuple[int, int], *, order: int = 1
) -> NDArray:
    """Average the autocorrelation over a lattice's points without the origin, weighted by overlap.

    This estimates the fraction of an image's energy that repeats on the lattice.

    Parameters
    ----------
    correlation : ndarray of shape (2H, 2W)
        See `autocorrelation`; for cubic interpolation, its spline coefficients.
    vectors : ndarray of shape (P, 2, 2)
        Two period vectors (dy, dx) a lattice.
    size : (H, W)
        Of the image.
    order : int
        Order of the interpolation: 1 or 3.

    Returns
    -------
    ndarray of shape (P,)
        At most 1; -1 for lattices with fewer than two points in view.
    """
    from scipy.ndimage import map_coordinates

    shifts = REACH @ vectors  # (P, multiples, 2)
    overlap = np.prod(np.clip(1 - np.abs(shifts) / np.array(size), 0, 1), axis=-1)
    near = overlap > OVERLAP
    values = np.zeros(overlap.shape)
    values[near] = map_coordinates(
        correlation, (shifts[near] + np.array(size)).T, order=order, prefilter=False
    )
    weights = np.where(near, overlap, 0)
    means = (weights * values).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-12)
    return np.where(near.sum(axis=1) < 2, -1.0, means)


def likely_lattices(image: NDArray, valid: NDArray | None = None, *, count: int = 4) -> list[Lattice]:
    """Return the likeliest lattices of a band-passed image, the likeliest first.

    Parameters
    ----------
    image : ndarray of shape (C, H, W)
        Band-passed; see `band_pass`.
    valid : ndarray of shape (H, W), optional
        False where pixels are missing.
    count : int
        Largest number of lattices of each kind: the likeliest, and those with the smallest cells that repeat.

    Notes
    -----
    Every pair of the autocorrelation's highest peaks is tried. With N cells in view and the repeating
    fraction p of the energy, the mean of the other cells predicts a cell with the error
    ``(1 - p) N / (N - 1)``. Minimising this error prefers the whole lattice to a coarser sublattice. Periods
    are refined by the Nelder-Mead simplex on the spline-interpolated autocorrelation.
    """
    from scipy.ndimage import spline_filter

    size = (image.shape[-2], image.shape[-1])
    correlation = autocorrelation(image, valid)
    peaks = _peaks(correlation, size)
    spline = spline_filter(correlation, 3)
    tried: dict[tuple[int, ...], NDArray] = {}
    for i, first in enumerate(peaks):
        for second in peaks[:i]:
            area = abs(first[0] * second[1] - first[1] * second[0])
            if area < 0.3 * np.hypot(*first) * np.hypot(*second) or size[0] * size[1] < 2 * area:
                continue
            a, b = reduced(first, second)
            if np.hypot(*a) >= SHORTEST:
                tried[tuple(int(v) for v in np.round([*a, *b]))] = np.stack([a, b])
    if not tried:
        return []
    vectors = np.stack(list(tried.values()))
    energies = repeating_energy(correlation, vectors, size)
    entries = [Lattice(_pair(a), _pair(b), float(p)) for (a, b), p in zip(vectors, energies, strict=True)]
    refined = [_refined(spline, lattice, size) for lattice in _promising(entries, size, count)]
    return sorted(refined, key=lambda lattice: _error(lattice, size))


def _promising(lattices: list[Lattice], size: tuple[int, int], count: int) -> list[Lattice]:
    """Return the best lattices by prediction error, and the best among those of small cells.

    There are at most `count` of each kind. The second kind repeats better than all lattices with smaller
    cells. It is needed because each of two patterns that share a coarse lattice has a finer lattice of
    its own.
    """
    chosen: list[Lattice] = []

    def choose(lattice: Lattice) -> None:
        if not any(lattice.contains(other) and other.contains(lattice) for other in chosen):
            chosen.append(lattice)

    for lattice in sorted(lattices, key=lambda lattice: _error(lattice, size)):
        if len(chosen) < count:
            choose(lattice)
    most = FRONT
    for lattice in sorted(lattices, key=lambda lattice: lattice.area):
        if lattice.periodic > most and len(chosen) < 2 * count:
            choose(lattice)
            most = lattice.periodic + FRONT / 2
    return chosen


def _error(lattice: Lattice, size: tuple[int, int]) -> float:
    """Return the error of predicting a cell from the others, relative to the image's energy."""
    cells = size[0] * size[1] / max(lattice.area, 1e-9)
    return (1 - lattice.periodic) * cells / max(cells - 1, 1e-3)


def _peaks(correlation: NDArray, size: tuple[int, int]) -> Sequence[NDArray]:
    """Return the shifts (dy, dx) of the highest local maxima in one half of the plane."""
    from scipy.ndimage import maximum_filter

    rows, columns = np.nonzero(maximum_filter(correlation, 5) == correlation)
    dy, dx = rows - size[0], columns - size[1]
    overlap = (1 - np.abs(dy) / size[0]) * (1 - np.abs(dx) / size[1])
    height = correlation[rows, columns]
    wanted = ((dy > 0) | ((dy == 0) & (dx > 0))) & (overlap > 0.2) & (np.hypot(dy, dx) >= SHORTEST)
    wanted &= height > 0.03
    order = np.argsort(-height[wanted] * np.sqrt(overlap[wanted]), kind="stable")[:PEAKS]
    return list(np.stack([dy[wanted], dx[wanted]], axis=1)[order].astype(float))


def _refined(spline: NDArray, lattice: Lattice, size: tuple[int, int]) -> Lattice:
    """Maximise the repeating energy over both period vectors."""
    from scipy.optimize import minimize

    start = np.array([*lattice.a, *lattice.b])
    best = minimize(
        lambda q: -float(repeating_energy(spline, q.reshape(1, 2, 2), size, order=3)[0]),
        start,
        method="Nelder-Mead",
        options={
            "initial_simplex": start + np.vstack([np.zeros(4), 1.5 * np.eye(4)]),
            "xatol": 0.02,
            "fatol": 3e-5,
            "maxiter": 150,
        },
    )
    a, b = reduced(best.x[:2], best.x[2:])
    return Lattice(_pair(a), _pair(b), float(-best.fun))


def _pair(vector: NDArray) -> tuple[float, float]:
    """Convert a vector to a tuple of floats."""
    return float(vector[0]), float(vector[1])
