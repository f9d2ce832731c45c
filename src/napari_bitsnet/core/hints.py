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
