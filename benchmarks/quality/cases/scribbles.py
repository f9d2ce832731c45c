"""Scribbles drawn by a rule from a known outline, so that nobody chooses them with a method in mind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TRIMMED = 0.15
"""Part of a stroke along the medial axis that is left out at each end."""
AWAY = 4
"""Smallest distance of a straight stroke from the outline, in pixels; half the largest one in a slim
region."""
TRIES = 4000
"""Straight strokes that are tried before the distance from the outline is given up."""


def along_the_middle(mask: NDArray) -> NDArray:
    """Return labels (Y, X): a stroke along the middle of the object (1) and one along that of what is around
    it (2).

    Each is the longest shortest path through the medial axis of the region's largest part, without its ends,
    3 pixels wide.

    Parameters
    ----------
    mask : bool array of shape (Y, X)
        True on the object.
    """
    return _painted(mask, [(label, _longest_path(region)) for label, region in ((2, ~mask), (1, mask))])


def short_strokes(mask: NDArray, *, n: int = 3, seed: int = 0) -> NDArray:
    """Return labels (Y, X): n straight strokes in the object (1) and n around it (2), at random, 3 pixels
    wide.

    Each is at most a third of the image's shorter side long.

    Parameters
    ----------
    mask : bool array of shape (Y, X)
        True on the object.
    n, seed : int
        Number of strokes in each region, and the seed of their ends.
    """
    from scipy.ndimage import distance_transform_edt
    from skimage.draw import line

    rng = np.random.default_rng(seed)
    longest = min(mask.shape) / 3
    strokes = []
    for label, region in ((2, ~mask), (1, mask)):
        depth = distance_transform_edt(region)
        inner = depth > min(AWAY, depth.max() / 2)
        tried, made = 0, 0
        while made < n:
            tried += 1
            allowed = inner if tried < TRIES else region
            ends = np.argwhere(allowed)
            start, end = ends[rng.integers(len(ends), size=2)]
            length = np.hypot(*(end - start))
            if (length > longest or length < longest / 5) and tried < TRIES:
                continue
            pixels = np.stack(line(*start, *end), axis=1)
            if length <= longest and allowed[tuple(pixels.T)].all():
                strokes.append((label, pixels))
                made += 1
    return _painted(mask, strokes)


def _painted(mask: NDArray, strokes: list[tuple[int, NDArray]]) -> NDArray:
    """Paint strokes of pixels (n, 2), 3 pixels wide, each within its own region."""
    from scipy.ndimage import binary_dilation

    hints: NDArray = np.zeros(mask.shape, np.int32)
    for label, pixels in strokes:
        stroke = np.zeros(mask.shape, bool)
        stroke[tuple(pixels.T)] = True
        hints[binary_dilation(stroke, np.ones((3, 3))) & (mask if label == 1 else ~mask)] = label
    return hints


def _longest_path(region: NDArray) -> NDArray:
    """Return the longest shortest path (n, 2) through the medial axis of a region's largest part, without its
    ends."""
    from scipy.ndimage import label
    from skimage.graph import MCP
    from skimage.morphology import skeletonize

    def largest(parts: NDArray, structure: NDArray | None = None) -> NDArray:
        numbers, _ = label(parts, structure)
        sizes = np.bincount(numbers.ravel())
        sizes[0] = 0
        return numbers == sizes.argmax()

    axis = largest(skeletonize(largest(region)), np.ones((3, 3)))
    costs = np.where(axis, 1.0, -1.0)  # below 0: closed
    here = tuple(np.argwhere(axis)[0])
    for _ in range(2):  # the farthest point of the farthest point
        paths = MCP(costs, fully_connected=True)
        lengths, _ = paths.find_costs([here])
        here = np.unravel_index(np.where(axis, lengths, -1).argmax(), axis.shape)
    path = np.array(paths.traceback(here))
    ends = int(TRIMMED * len(path))
    return path[ends : len(path) - ends]
