"""Images that do not fit into memory: read where they are looked at, interpolated where they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_bitsnet.core.displacement import Window


@dataclass(frozen=True)
class LargeImage:
    """An image (1, C, H, W) of which windows are read; stands for a tensor where only these are looked at.

    Parameters
    ----------
    read : callable
        Takes a `Window` and returns its pixels, (1, C, h, w).
    shape : tuple of int
        (1, C, H, W).
    limits : (low, high), each of shape (C,), optional
        Smallest and largest value of each channel.
    """

    read: Callable[[Window], Tensor]
    shape: tuple[int, int, int, int]
    limits: tuple[Tensor, Tensor] | None = None

    ndim = 4

    def __getitem__(self, place: tuple[Any, slice, slice]) -> Tensor:
        """Return a window: ``image[..., top:bottom, left:right]``."""
        _, rows, columns = place
        top, bottom, _ = rows.indices(self.shape[-2])
        left, right, _ = columns.indices(self.shape[-1])
        return self.read(Window(top, left, bottom - top, right - left))

    def new_empty(self, size: tuple[int, ...]) -> Tensor:
        """Return a tensor of this size, as `Tensor.new_empty` does."""
        return torch.empty(size)

    def held(self, area: Window) -> LargeImage:
        """Return the image with one window of it in memory; the others cannot be read."""
        return LargeImage(_Held(self.read(area), area), self.shape, self.limits)


@dataclass(frozen=True)
class _Held:
    pixels: Tensor
    area: Window

    def __call__(self, window: Window) -> Tensor:
        top, left = window.top - self.area.top, window.left - self.area.left
        fits = top + window.height <= self.area.height and left + window.width <= self.area.width
        if min(top, left) < 0 or not fits:
            raise IndexError(f"Expected a window inside {self.area}, got {window}.")
        return Window(top, left, window.height, window.width).crop(self.pixels)


def grown(window: Window, margin: int, size: tuple[int, int]) -> Window:
    """Return a window with a margin on all sides, inside an image of `size` (H, W)."""
    top, left = max(0, window.top - margin), max(0, window.left - margin)
    bottom = min(size[0], window.top + window.height + margin)
    right = min(size[1], window.left + window.width + margin)
    return Window(top, left, bottom - top, right - left)


def at_window(images: Tensor, window: Window, factor: int) -> Tensor:
    """Interpolate images that were reduced by a whole factor to a window of their full size.

    Parameters
    ----------
    images : Tensor of shape (..., h, w)
        Each pixel is the mean of ``factor`` by ``factor`` pixels; at the end of an axis, of fewer.
    window : Window
        Of the full size.
    factor : int
        1 returns the pixels themselves.

    Returns
    -------
    Tensor of shape (..., window.height, window.width)
        Linear between the centres of the pixels; the same for each pixel whatever the window.
    """
    for axis, start, length in ((-2, window.top, window.height), (-1, window.left, window.width)):
        place = (torch.arange(start, start + length, dtype=torch.float64) + 0.5) / factor - 0.5
        place = place.clamp(0, images.shape[axis] - 1)
        below = place.floor().long()
        above = (below + 1).clamp(max=images.shape[axis] - 1)
        weight = (place - below).to(images).view(-1, *[1] * (-1 - axis))
        images = torch.lerp(images.index_select(axis, below), images.index_select(axis, above), weight)
    return images
