"""Tiles that overlap and are blended, so that memory does not grow with the image and no seam shows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_bitsnet.core.stages import Stage, Stages, exhaust

OVERLAP = 4
"""Neighbouring tiles share at least one OVERLAP-th of their side."""


def blend_tiles(predict: Callable[[Tensor], Tensor], image: Tensor, *, side: int, multiple: int) -> Tensor:
    """Do the same as `blending_tiles` without telling its stages."""
    return exhaust(blending_tiles(predict, image, side=side, multiple=multiple))


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
    for i, (y0, y1) in enumerate(rows):
        for j, (x0, x1) in enumerate(columns):
            yield Stage(f"tile {i * len(columns) + j + 1} of {len(rows) * len(columns)}")
            answer = predict(image[..., y0:y1, x0:x1])
            window = _ramp(y0, y1, height).to(image)[:, None] * _ramp(x0, x1, width).to(image)
            if total is None:
                total = answer.new_zeros(*answer.shape[:-2], height, width)
            total[..., y0:y1, x0:x1] += window * answer
            weight[y0:y1, x0:x1] += window
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


def _ramp(start: int, end: int, length: int) -> Tensor:
    """Return weights of an interval: 1 inside, falling to near 0 over the part that a neighbour also
    covers."""
    strip = max(1, (end - start) // OVERLAP)
    at = torch.arange(end - start, dtype=torch.float32)
    rise = (at + 0.5) / strip if start > 0 else torch.ones_like(at)
    fall = (end - start - at - 0.5) / strip if end < length else torch.ones_like(at)
    return torch.minimum(rise, fall).clamp(max=1)
