"""Images worked on tile by tile: local computations, and running averages of fits."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from napari_bitsnet.core.stages import Partial, telling

OVERLAP = 4
"""Neighbouring tiles share a strip of one OVERLAP-th of their side."""


def solve_in_tiles(
    solve: Callable[..., Tensor], images: Sequence[Tensor], *, side: int, margin: int
) -> Tensor:
    """Apply a local computation tile by tile, so that memory does not grow with the image.

    Parameters
    ----------
    solve : callable
        Takes crops of all `images` and returns an image of the crops' size.
    images : sequence of Tensor (1, C_i, H, W)
        Of one size.
    side : int
        Of the tiles in pixels; images up to that go straight through.
    margin : int
        Pixels around a tile that the computation also sees.

    Returns
    -------
    Tensor of shape (1, C, H, W)
        Of each tile what lies inside its margin.
    """
    height, width = images[0].shape[-2:]
    if max(height, width) <= side:
        return solve(*images)
    result: Tensor | None = None
    for seen, inside, place in _tiles(height, width, side, margin):
        answer = solve(*(image[seen] for image in images))
        if result is None:
            result = answer.new_empty(*answer.shape[:-2], height, width)
        result[place] = answer[inside]
    assert result is not None  # an image has a tile
    return result


def solving_in_tiles(
    solving: Callable[..., Generator[Partial, None, Tensor]],
    images: Sequence[Tensor],
    before: Tensor,
    *,
    side: int,
    margin: int,
) -> Generator[Partial, None, Tensor]:
    """Do what `solve_in_tiles` does with a computation that tells how far it is, and tell that of the whole
    image.

    Parameters
    ----------
    solving : callable
        As `solve` there; yields what is done on the way.
    images, side, margin
        As in `solve_in_tiles`.
    before : Tensor of shape (1, C, H, W)
        What an image of which only a part is done shows elsewhere.
    """
    height, width = images[0].shape[-2:]
    if max(height, width) <= side:
        return (yield from solving(*images))
    result, tiles = before.clone(), list(_tiles(height, width, side, margin))
    for number, (seen, inside, place) in enumerate(tiles):
        tell = partial(_of_whole, result, number, len(tiles), inside, place)
        answer = yield from telling(solving(*(image[seen] for image in images)), tell)
        result[place] = answer[inside]
    return result


Window = tuple[Any, ...]


def _tiles(height: int, width: int, side: int, margin: int) -> Iterator[tuple[Window, Window, Window]]:
    """What each tile sees with its margin, where what it answers for lies inside that, and where in the
    image."""
    for top in range(0, height, side):
        for left in range(0, width, side):
            seen, inside, place = [], [], []
            for start, length in ((top, height), (left, width)):
                first, last = max(0, start - margin), min(length, start + side + margin)
                end = min(length, start + side)
                seen.append(slice(first, last))
                inside.append(slice(start - first, end - first))
                place.append(slice(start, end))
            yield (..., *seen), (..., *inside), (..., *place)


def _of_whole(
    result: Tensor, number: int, count: int, inside: Window, place: Window, part: Partial
) -> Partial:
    """Return what is done of the whole image, given that of a tile."""
    return Partial((number + part.done) / count, partial(_with_tile, result, part, inside, place))


def _with_tile(result: Tensor, part: Partial, inside: Window, place: Window) -> Tensor:
    """An image with what a tile that is under way has so far."""
    image = result.clone()
    image[place] = part.image()[inside]
    return image


class TiledAverage:
    """Exponential moving average of answers that are made one tile at a time, without seams.

    Parameters
    ----------
    first : Tensor of shape (1, C, H, W)
        The answer wherever no tile has been yet.
    side : int
        Of the tiles in pixels; images up to that are one tile.
    decay : float
        d in [0, 1), per step of a tile; 0 keeps each tile's last answer.

    Notes
    -----
    Pixel by pixel ``sum_i d**(t-i) w_i y_i / sum_i d**(t-i) w_i`` over the steps i whose tile holds the
    pixel; w falls linearly towards the borders of a tile that has neighbours there.
    """

    def __init__(self, first: Tensor, *, side: int, decay: float) -> None:
        height, width = first.shape[-2:]
        self.first, self.decay = first.detach(), decay
        self.tiles = [(y, x) for y in _intervals(height, side) for x in _intervals(width, side)]
        self.total = torch.zeros_like(self.first)
        self.weight = self.first.new_zeros(1, 1, height, width)
        self._windows = [ramp(y, height).to(first)[:, None] * ramp(x, width).to(first) for y, x in self.tiles]

    def tile(self, step: int) -> tuple[slice, slice, slice, slice]:
        """Which part (N, C, Y, X) of the image is worked on in a step; all in turn."""
        y, x = self.tiles[step % len(self.tiles)]
        return slice(None), slice(None), slice(*y), slice(*x)

    @torch.no_grad()
    def update(self, step: int, image: Tensor) -> None:
        """Take the tile of a step (1, C, h, w) into the average."""
        at, window = self.tile(step), self._windows[step % len(self.tiles)]
        for kept, new in ((self.total, window * image.detach()), (self.weight, window)):
            kept[at] = self.decay * kept[at] + new

    @property
    def value(self) -> Tensor:
        """The average so far."""
        return torch.where(self.weight > 0, self.total / self.weight.clamp(min=1e-12), self.first)


def _intervals(length: int, side: int) -> list[tuple[int, int]]:
    """Evenly spread, overlapping intervals of `side` that cover a length."""
    if length <= side:
        return [(0, length)]
    step = side - side // OVERLAP
    count = -(-(length - side) // step) + 1
    starts = [round(k * (length - side) / (count - 1)) for k in range(count)]
    return [(start, start + side) for start in starts]


def ramp(interval: tuple[int, int], length: int) -> Tensor:
    """Return weights of an interval: 1 inside, falling to near 0 over the strip that a neighbour also
    covers."""
    start, end = interval
    strip = max(1, (end - start) // OVERLAP)
    at = torch.arange(end - start, dtype=torch.float32)
    rise = (at + 0.5) / strip if start > 0 else torch.ones_like(at)
    fall = (end - start - at - 0.5) / strip if end < length else torch.ones_like(at)
    return torch.minimum(rise, fall).clamp(max=1)
