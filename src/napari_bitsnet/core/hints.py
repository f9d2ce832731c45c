"""Hints (scribbles, boxes and masks) as labels, and as one weight map per source.

Labels are integers of shape (Y, X): k where edges or areas belong to source k (from 1), 0 where nothing is
marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from torch import Tensor

CLEAR = 2.0
"""Smallest ratio of a contour's strength in one source to its strength in all others, for automatic
scribbles."""
SIGHT = 2.0
"""Standard deviation of the blur before contours are detected, in pixels: people mark outlines, not grain."""
APART = 1.5
"""Smallest distance between the starts of automatic scribbles, in lengths of a scribble."""


def scribble_mask(shape: tuple[int, int], points: ArrayLike, *, width: int = 3) -> NDArray[np.bool_]:
    """Draw a polyline with a square brush.

    Parameters
    ----------
    shape : (int, int)
        Y and X of the image.
    points : array of shape (P, 2)
        Corners (y, x) in pixels, joined by straight lines; parts outside the image are cut off.
    width : int
        Width of the brush, in pixels, >= 1.

    Raises
    ------
    ValueError
        If there is no point, or the width is below 1.
    """
    corners = np.asarray(points, dtype=float)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) == 0:
        raise ValueError(f"Expected points of shape (P, 2), one (y, x) a row, got {corners.shape}.")
    if width < 1:
        raise ValueError(f"Expected a brush of at least 1 pixel, got {width}.")
    mask = np.zeros(shape, dtype=bool)
    for start, end in zip(corners, corners[1:] if len(corners) > 1 else corners, strict=False):
        steps = int(np.ceil(np.abs(end - start).max())) + 1
        for y, x in np.rint(np.linspace(start, end, steps)).astype(int):
            top, left = y - (width - 1) // 2, x - (width - 1) // 2
            mask[max(top, 0) : max(top + width, 0), max(left, 0) : max(left + width, 0)] = True
    return mask


def box_mask(shape: tuple[int, int], box: Sequence[int]) -> NDArray[np.bool_]:
    """Fill a box.

    Parameters
    ----------
    shape : (int, int)
        Y and X of the image.
    box : (y0, x0, y1, x1)
        In pixels; the end corner is exclusive.

    Raises
    ------
    ValueError
        If the box holds no pixel of the image.
    """
    y0, x0, y1, x1 = (max(int(edge), 0) for edge in box)
    mask = np.zeros(shape, dtype=bool)
    mask[y0:y1, x0:x1] = True
    if not mask.any():
        raise ValueError(
            f"Expected a box (y0, x0, y1, x1) inside the image of {shape} pixels, got {tuple(box)}: Y comes "
            "before X."
        )
    return mask


def paint(labels: NDArray[np.integer], mask: ArrayLike, source: int) -> NDArray[np.integer]:
    """Return labels with `source` (from 1; 0 erases) where the mask (Y, X) is True.

    Raises
    ------
    ValueError
        If the mask has another shape.
    """
    marked = np.asarray(mask, dtype=bool)
    if marked.shape != labels.shape:
        raise ValueError(f"Expected a mask of shape {labels.shape}, got {marked.shape}.")
    return np.where(marked, labels.dtype.type(source), labels)


def hint_maps(labels: ArrayLike, n_sources: int, *, shape: tuple[int, int] | None = None) -> Tensor | None:
    """Convert labels to one weight map per source.

    Parameters
    ----------
    labels : integer array of shape (Y, X)
        k where something belongs to source k (from 1), 0 where nothing is marked.
    n_sources : int
        K.
    shape : (int, int), optional
        The image's Y and X; labels must have this shape.

    Returns
    -------
    Tensor of shape (K, 1, Y, X) or None
        float32, 1 where source k is named, else 0; None if nothing is marked.

    Raises
    ------
    ValueError
        If the shape differs, or a label is outside of 0 to K.
    """
    import torch

    marks = np.asarray(labels)
    if shape is not None and marks.shape != tuple(shape):
        raise ValueError(
            f"Expected hints of the image's shape {tuple(shape)}, got {marks.shape}: paint them over the "
            "whole image, in its pixels."
        )
    if not np.issubdtype(marks.dtype, np.integer) or marks.min() < 0 or marks.max() > n_sources:
        raise ValueError(
            f"Expected hints as integers, 0 for unknown and 1 to {n_sources} for the sources, got "
            f"{marks.dtype} from {marks.min()} to {marks.max()}."
        )
    if not marks.any():
        return None
    planes = np.stack([marks == k + 1 for k in range(n_sources)])
    return torch.from_numpy(planes[:, None].astype(np.float32))


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
