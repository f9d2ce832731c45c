"""Tiles that overlap and are blended, so that memory does not grow with the image and no seam shows."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.core.tiling import OVERLAP, ramp


def blending_tiles(
    predict: Callable[[Tensor], Tensor], image: Tensor, *, side: int, multiple: int
) -> Stages[Tensor]:
    """Apply a local computation tile by tile, tell each tile as a stage, and blend the answers.

    Parameters
    ----------
    predict : callable
        Takes (N, C, h, w) and returns (N, ..., h, w).
    image : Tensor of shape (N, C, H, W)
        Images up to `side` in both directions go straight through.
    side : int
        Of the tiles, in pixels.
    multiple : int
        Tiles begin at multiples of this, where they can, as the network's coarse pixels do.

    Returns
    -------
    Tensor of shape (N, ..., H, W)
        ``sum_i w_i y_i / sum_i w_i``; w falls linearly towards the borders that a tile shares with others.
    """
    height, width = image.shape[-2:]
    if max(height, width) <= side:
        return predict(image)
    total: Tensor | None = None
    weight = image.new_zeros(height, width)
    rows, columns = intervals(height, side, multiple), intervals(width, side, multiple)
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            yield Stage(f"tile {i * len(columns) + j + 1} of {len(rows) * len(columns)}")
            place = (..., slice(*y), slice(*x))
            answer = predict(image[place])
            window = ramp(y, height).to(image)[:, None] * ramp(x, width).to(image)
            if total is None:
                total = answer.new_zeros(*answer.shape[:-2], height, width)
            total[place] += window * answer
            weight[place] += window
    assert total is not None
    return total / weight


def intervals(length: int, side: int, multiple: int) -> list[tuple[int, int]]:
    """Return overlapping intervals of at most `side` that cover a length; starts are multiples of
    `multiple`."""
    if length <= side:
        return [(0, length)]
    step = side - side // OVERLAP
    count = -(-(length - side) // step) + 1
    starts = [k * (length - side) // (count - 1) for k in range(count)]
    if side % multiple == 0:
        starts = [start // multiple * multiple for start in starts]
    return [(start, start + side) for start in starts[:-1]] + [(starts[-1], length)]
