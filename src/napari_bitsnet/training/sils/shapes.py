"""The toy of the paper: one square, circle or triangle on black, of any size, place and brightness."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

NAMES = ("squares", "circles", "triangles")
SIZES = (1 / 16, 7 / 32)
"""Smallest and largest half side or radius, as a part of the image's side: 8 to 28 pixels of 128."""
BRIGHTNESS = (0.15, 0.45)
"""Smallest and largest brightness; the sum of three shapes rarely exceeds 1."""


def draw_shapes(name: str, count: int, size: int, draw: Generator) -> Tensor:
    """Return images (N, 1, size, size) with one shape each, whose edges are a pixel wide.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    count, size : int
        Number and side of the images.
    draw : Generator
        Source of all randomness.
    """
    extent, brightness, y, x = torch.rand((4, count, 1, 1), generator=draw)
    half = size * (SIZES[0] + (SIZES[1] - SIZES[0]) * extent)
    brightness = BRIGHTNESS[0] + (BRIGHTNESS[1] - BRIGHTNESS[0]) * brightness
    y, x = (half + 1 + (size - 2 * half - 2) * place for place in (y, x))  # the whole shape is inside
    rows = torch.arange(size)[None, :, None] + 0.5 - y
    columns = torch.arange(size)[None, None, :] + 0.5 - x
    if name == "squares":
        distance = torch.maximum(rows.abs(), columns.abs()) - half
    elif name == "circles":
        distance = (rows.square() + columns.square()).sqrt() - half
    else:  # an equilateral triangle whose corners lie on the circle of this radius
        sides = 0.75**0.5 * columns.abs() - rows / 2
        distance = torch.maximum(sides, rows.expand_as(sides)) - half / 2
    return (brightness * (0.5 - distance).clamp(0, 1))[:, None]
