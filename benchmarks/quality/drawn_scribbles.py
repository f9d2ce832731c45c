"""Scribbles along clear outlines of the true sources, as a person would draw them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bitsnet.core.hints import paint, scribble_mask

CLEAR = 2.0
"""Smallest ratio of a contour's strength in one source to its strength in all others."""
SIGHT = 2.0
"""Standard deviation of the blur before contours are detected, in pixels: people mark outlines, not grain."""
APART = 1.5
"""Smallest distance between the starts of automatic scribbles, in lengths of a scribble."""


def draw_scribbles(
    truths: ArrayLike, n: int, *, length: int = 11, width: int = 3, seed: int = 0
) -> NDArray[np.int32]:
    """Draw scribbles along clear outlines of the true sources, as a person would.

    Parameters
    ----------
    truths : array of shape (K, Y, X) or (K, Y, X, C)
        Shares of the mixture.
    n : int
        Total number of scribbles; the sources take turns.
    length, width : int
        Length of a scribble and width of the brush, in pixels.
    seed : int
        The same seed gives the same scribbles; a larger `n` adds scribbles to the same first ones.

    Returns
    -------
    ndarray of shape (Y, X)
        Labels; k where the contours of truth k are clearly stronger than those of all others. There are fewer
        than `n` scribbles if there are not enough clear contours.

    Notes
    -----
    The contour strength is e_k = ‖∇(G_σ ∗ t_k)‖ over channels, σ = 2 px. A scribble starts at a pixel drawn
    with probability ∝ max(e_k − 2 Σ_{j≠k} e_j, 0)², at least 1.5 lengths from earlier starts. It follows the
    contour in both directions while e_k > 2 Σ_{j≠k} e_j.
    """
    from scipy.ndimage import gaussian_filter1d

    images = np.asarray(truths, dtype=float)
    images = images[..., None] if images.ndim == 3 else images
    smooth = gaussian_filter1d(gaussian_filter1d(images, SIGHT, axis=1), SIGHT, axis=2)
    dy, dx = np.gradient(smooth, axis=(1, 2))
    strength = np.sqrt((dy**2 + dx**2).sum(axis=-1))  # (K, Y, X)
    excess = strength - CLEAR * (strength.sum(axis=0) - strength)
    normal = 0.5 * np.arctan2(2 * (dx * dy).sum(axis=-1), (dx**2 - dy**2).sum(axis=-1))
    along = np.stack(
        [np.cos(normal), -np.sin(normal)], axis=-1
    )  # (K, Y, X, 2): the contour's direction (y, x)

    ridge = np.stack([_on_ridge(e, a) for e, a in zip(strength, along, strict=True)])
    n_sources, height, width_px = strength.shape
    rows, columns = np.mgrid[:height, :width_px]
    free = np.ones((height, width_px), dtype=bool)
    labels = np.zeros((height, width_px), dtype=np.int32)
    rng = np.random.default_rng(seed)
    for i in range(n):
        k = i % n_sources
        chance = np.where(free & ridge[k], np.maximum(excess[k], 0), 0).ravel() ** 2
        dice = rng.random()
        if chance.sum() == 0:
            continue
        cumulative = np.cumsum(chance)
        start = int(np.searchsorted(cumulative, dice * cumulative[-1], side="right"))
        y, x = divmod(min(start, height * width_px - 1), width_px)
        path = _follow(excess[k], along[k, y, x], (y, x), length)
        brush = scribble_mask((height, width_px), path, width=width)
        labels = paint(labels, brush & (excess[k] > 0), k + 1)
        free &= (rows - y) ** 2 + (columns - x) ** 2 >= (APART * length) ** 2
    return labels


def _on_ridge(strength: NDArray, along: NDArray) -> NDArray[np.bool_]:
    """Return True if a pixel of (Y, X) is at least as strong as its neighbours across the contour."""
    rows, columns = np.indices(strength.shape)
    y, x = np.rint(-along[..., 1]).astype(int), np.rint(along[..., 0]).astype(int)
    padded = np.pad(strength, 1, mode="edge")
    sides = [padded[rows + 1 + s * y, columns + 1 + s * x] for s in (1, -1)]
    return (strength >= sides[0]) & (strength >= sides[1])


def _follow(contour: NDArray, heading: NDArray, start: tuple[int, int], length: int) -> NDArray:
    """Follow the ridge of a map (Y, X) by `length` // 2 pixels in both directions, while it is positive.

    Each step goes to the highest of the three neighbours ahead.
    """
    around = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    turns = np.array([np.array(step) / np.hypot(*step) for step in around])
    paths = []
    for sense in (1, -1):
        (y, x), direction = start, int(np.argmax(turns @ (sense * heading)))
        steps: list[tuple[int, int]] = []
        for _ in range(length // 2):
            ahead = [(direction + turn) % 8 for turn in (0, -1, 1)]
            heights = [_at(contour, y + around[a][0], x + around[a][1]) for a in ahead]
            if max(heights) <= 0:
                break
            direction = ahead[int(np.argmax(heights))]
            y, x = y + around[direction][0], x + around[direction][1]
            steps.append((y, x))
        paths.append(steps)
    return np.array([*paths[1][::-1], start, *paths[0]])


def _at(values: NDArray, y: int, x: int) -> float:
    """Return the value at a pixel, 0 outside."""
    return float(values[y, x]) if 0 <= y < values.shape[0] and 0 <= x < values.shape[1] else 0.0
