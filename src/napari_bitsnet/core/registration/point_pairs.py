"""Points that show the same in two images: the map that they stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def matrix_of_points(moving: ArrayLike, fixed: ArrayLike) -> NDArray:
    """Return the (3, 3) matrix that takes moving points to fixed ones, by least squares; see `register`.

    Raises
    ------
    ValueError
        If they are not in pairs, not finite, there is none, two are one, or three and more lie on one line.
    """
    a, b = (np.atleast_2d(np.asarray(p, dtype=np.float64)) for p in (moving, fixed))
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != 2 or not len(a):
        raise ValueError(f"Expected pairs of points, two arrays (N, 2), got {a.shape} and {b.shape}.")
    matrix = np.eye(3)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("Expected points with finite coordinates, got NaN or infinite ones: leave them out.")
    if len(a) == 1:
        matrix[:2, 2] = (b - a)[0]
        return matrix
    middle_a, middle_b = a.mean(axis=0), b.mean(axis=0)
    a, b = a - middle_a, b - middle_b
    if len(a) == 2 and not (a.any() and b.any()):
        raise ValueError("Expected two different points in each image, got one twice: move one of them.")
    flat = [np.linalg.svd(p, compute_uv=False)[-1] < 1e-6 * max(np.ptp(p), 1e-12) for p in (a, b)]
    if any(flat) and len(a) > 2:
        raise ValueError("Expected points that span an area, got points on one line: add one beside it.")
    if len(a) == 2:
        turned = complex(*(b[1] - b[0])) / complex(*(a[1] - a[0]))
        matrix[:2, :2] = [[turned.real, -turned.imag], [turned.imag, turned.real]]
    else:
        matrix[:2, :2] = np.linalg.lstsq(a, b, rcond=None)[0].T
    matrix[:2, 2] = middle_b - matrix[:2, :2] @ middle_a
    return matrix


def residual_of_points(moving: ArrayLike, fixed: ArrayLike) -> float | None:
    """How far apart pairs lie after `matrix_of_points`: root mean square in pixels; None for up to three,
    which it fits exactly."""
    a, b = (np.atleast_2d(np.asarray(p, dtype=np.float64)) for p in (moving, fixed))
    if len(a) <= 3:
        return None
    matrix = matrix_of_points(a, b)
    apart = a @ matrix[:2, :2].T + matrix[:2, 2] - b
    return float(np.sqrt((apart**2).sum(axis=1).mean()))


def mirror_points(points: ArrayLike, width: int) -> NDArray:
    """Points (N, 2) of (y, x) in an image that is `width` pixels wide, as they lie in it mirrored: ``x ->
    width - 1 - x``."""
    return np.atleast_2d(np.asarray(points, dtype=np.float64)) * [1, -1] + [0, width - 1]
