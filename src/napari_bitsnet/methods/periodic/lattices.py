"""Finds the lattices on which an image repeats: two period vectors each, to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FINEST, COARSEST = 1.0, 16.0
"""Standard deviations, in pixels of a side of 256, between which structure is compared."""
PEAKS = 30
"""Peaks of the autocorrelation of which each pair may be a lattice."""
SHORTEST = 6.0
"""Shortest period, in pixels."""
OVERLAP = 0.12
"""Part of the image that a shifted copy has to cover to be counted."""
REACH = np.array([(i, j) for i in range(-12, 13) for j in range(-12, 13) if (i, j) > (0, 0)])
"""Multiples of the period vectors that are looked at; the opposite ones are the same."""
FRONT = 0.1
"""Part of the energy that has to repeat on a finer lattice to be looked at, and twice what a coarser one must add."""
NEAR, FAR = 0.08, 0.8
"""Distances at which an image is compared with itself for `repetition`, in its sides."""
SAME = 0.06
"""Deviation from whole numbers, in periods, below which one lattice contains another."""


@dataclass(frozen=True)
class Lattice:
    """Where a pattern repeats: at all ``i a + j b``.

    Parameters
    ----------
    a, b : tuple (dy, dx)
        Period vectors, in pixels, the shortest ones of the lattice.
    periodic : float
        Part of the image's energy that repeats, as estimated without bias: 1 for a pattern that repeats exactly.
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
        """Pixels of a cell."""
        return float(abs(np.linalg.det(self.matrix)))

    def scaled(self, factor: float) -> Lattice:
        """The same lattice on an image so many times as large."""
        return Lattice(
            (self.a[0] * factor, self.a[1] * factor), (self.b[0] * factor, self.b[1] * factor), self.periodic
        )

    def halves(self) -> list[Lattice]:
        """The three lattices of half the area that contain it."""
        a, b = np.array(self.a), np.array(self.b)
        pairs = [reduced(*pair) for pair in ((a / 2, b), (a, b / 2), ((a + b) / 2, (a - b) / 2))]
        return [Lattice(_pair(p), _pair(q), self.periodic) for p, q in pairs]

    def contains(self, other: Lattice) -> bool:
        """Whether the other's period vectors are periods of this one, too."""
        multiples = np.linalg.solve(self.matrix, other.matrix)
        return bool(np.abs(multiples - np.round(multiples)).max() < SAME)


def band_pass(image: NDArray, valid: NDArray | None = None) -> NDArray:
    """Take slow changes and the finest detail from an image (C, H, W); missing pixels become 0."""
    from scipy.ndimage import gaussian_filter

    scale = min(image.shape[-2:]) / 256
    seen = np.ones(image.shape[-2:]) if valid is None else valid.astype(float)
    centred = (image - (image * seen).sum(axis=(1, 2), keepdims=True) / seen.sum()) * seen

    def smooth(channel: NDArray, width: float) -> NDArray:
        return gaussian_filter(channel, width) / np.maximum(gaussian_filter(seen, width), 1e-3)

    fine, coarse = FINEST * min(scale, 1), COARSEST * scale
    return np.stack([(smooth(c, fine) - smooth(c, coarse)) * seen for c in centred])


def autocorrelation(image: NDArray, valid: NDArray | None = None) -> NDArray:
    """Return the correlation of an image (C, H, W) with itself, shifted by (y - H, x - W): (2H, 2W), 1 without a shift.

    Sums over the overlap are divided by the number of pixel pairs in it.
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
    """How much an image (C, H, W) resembles itself at some distance: its largest autocorrelation, but for slow changes, at most 1.

    Distances count from `NEAR` of the sides on, up to `FAR` of them. Tiles and wallpaper reach .6 and more, also under another
    image; most photographs stay below .5.
    """
    correlation = autocorrelation(band_pass(image))
    height, width = image.shape[-2:]
    y, x = np.ogrid[-height:height, -width:width]
    far = np.maximum(np.abs(y) / height, np.abs(x) / width)
    return float(correlation[(np.hypot(y / height, x / width) > NEAR) & (far < FAR)].max())


def reduced(a: NDArray, b: NDArray) -> tuple[NDArray, NDArray]:
    """Return the shortest two vectors that span the same lattice (Lagrange and Gauss), at no more than 90 degrees."""
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
    """Mean of the autocorrelation over a lattice's points but the origin, weighted by overlap; -1 for fewer than two.

    Of a pattern that repeats on the lattice, plus what does not, it estimates the repeating part of the energy.

    Parameters
    ----------
    correlation : ndarray of shape (2H, 2W)
        See `autocorrelation`; for cubic interpolation, its spline coefficients.
    vectors : ndarray of shape (P, 2, 2)
        Two period vectors (dy, dx) a lattice.
    size : (H, W)
        Of the image.
    order : int
        Of the interpolation: 1 or 3.

    Returns
    -------
    ndarray of shape (P,)
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
    """Return the lattices on which a band-passed image repeats most probably, the likeliest first.

    Parameters
    ----------
    image : ndarray of shape (C, H, W)
        Band-passed; see `band_pass`.
    valid : ndarray of shape (H, W), optional
        False where pixels are missing.
    count : int
        Periodic of each kind, at most: the likeliest, and those of the smallest cells that repeat.

    Notes
    -----
    Every pair of the autocorrelation's highest peaks is tried. With N cells in view and the repeating part p of the
    energy, a cell is predicted from the mean of the others with the error ``(1 - p) N / (N - 1)``, which is
    what is minimised: the whole lattice rather than a coarser one inside it. Periods are refined by Nelder and Mead's
    simplex on the spline-interpolated autocorrelation.
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
    """The `count` best by error of prediction, and as many that repeat better than all with smaller cells.

    The latter are there because where two patterns share a coarse lattice, each alone has a finer one.
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
    """Error of predicting a cell from the others, relative to the image's energy."""
    cells = size[0] * size[1] / max(lattice.area, 1e-9)
    return (1 - lattice.periodic) * cells / max(cells - 1, 1e-3)


def _peaks(correlation: NDArray, size: tuple[int, int]) -> Sequence[NDArray]:
    """Shifts (dy, dx) of the highest local maxima, in one half of the plane."""
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
    """A vector as plain numbers."""
    return float(vector[0]), float(vector[1])
