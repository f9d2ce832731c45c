"""Smooth displacement fields and image warping, for registration within a few pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Window(NamedTuple):
    """Rectangle of pixels: ``[top : top + height, left : left + width]``."""

    top: int
    left: int
    height: int
    width: int

    def crop(self, image: Tensor) -> Tensor:
        """Cut the rectangle out of ``(..., H, W)``."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def numbered(self, blocks: Sequence[Window]) -> Tensor:
        """Return the index of the block in which each pixel lies, (height, width); -1 where there is none."""
        numbers = torch.full((self.height, self.width), -1)
        for number, block in enumerate(blocks):
            top, left = block.top - self.top, block.left - self.left
            rows = slice(max(top, 0), max(top + block.height, 0))
            numbers[rows, max(left, 0) : max(left + block.width, 0)] = number
        return numbers


def strips(height: int, width: int, pixels: int) -> list[Window]:
    """Return windows over the whole width, of about so many pixels each, that cover an image from top to
    bottom."""
    rows = max(1, pixels // width)
    return [Window(top, 0, min(rows, height - top), width) for top in range(0, height, rows)]


def cosines(size: int, start: int, length: int, order: int, like: Tensor) -> Tensor:
    """Return ``cos(pi i (y + 1/2) / size)`` for i < order at y = start …, (order, length)."""
    place = (torch.arange(start, start + length, device=like.device, dtype=like.dtype) + 0.5) / size
    return torch.cos(math.pi * torch.arange(order, device=like.device, dtype=like.dtype)[:, None] * place)


@dataclass(frozen=True)
class Modes:
    """Cosine modes of smooth fields on an image: i half waves along y, j along x, i + j < order.

    Parameters
    ----------
    size : (H, W)
        Size of the whole image, in pixels.
    order : int
        n gives n (n + 1) / 2 modes; 1 is the constant only.
    """

    size: tuple[int, int]
    order: int

    @property
    def indices(self) -> list[tuple[int, int]]:
        """Return (i, j) of each mode, the constant first."""
        return [(i, j) for i in range(self.order) for j in range(self.order - i)]

    def __len__(self) -> int:
        return self.order * (self.order + 1) // 2

    def roughness(self) -> Tensor:
        """Return the penalties ``(1 + i² + j²)^{3/2}`` of the modes, (J,): fine modes are penalised more."""
        return torch.tensor([(1.0 + i * i + j * j) ** 1.5 for i, j in self.indices])

    def fields(self, window: Window, like: Tensor) -> Tensor:
        """Return the modes (J, h, w) on a window, with the device and the type of `like`."""
        along_y = cosines(self.size[0], window.top, window.height, self.order, like)
        along_x = cosines(self.size[1], window.left, window.width, self.order, like)
        return torch.stack([along_y[i][:, None] * along_x[j][None] for i, j in self.indices])

    def combine(self, coefficients: Tensor, window: Window) -> Tensor:
        """Return ``sum_j c_aj field_j`` (A, h, w) for coefficients (A, J)."""
        grid = coefficients.new_zeros((len(coefficients), self.order, self.order))
        for column, (i, j) in enumerate(self.indices):
            grid[:, i, j] = coefficients[:, column]
        along_y = cosines(self.size[0], window.top, window.height, self.order, coefficients)
        along_x = cosines(self.size[1], window.left, window.width, self.order, coefficients)
        return along_y.T @ grid @ along_x


def sample(
    image: Tensor, displacement: Tensor, window: Window, limits: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Warp an image by bicubic interpolation: ``out(y, x) = image(y + dy, x + dx)``.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        Any values; the border is repeated.
    displacement : Tensor of shape (2, h, w)
        (dy, dx) in pixels, at the pixels of `window`.
    window : Window
        Window to compute.
    limits : (low, high), each of shape (C,), optional
        Range to which the result is clipped; by default the image's range, whose computation reads the whole
        image.

    Returns
    -------
    Tensor of shape (C, h, w)
        Within the range of the image.
    """
    height, width = image.shape[-2:]
    y = torch.arange(window.top, window.top + window.height, device=image.device)[:, None] + displacement[0]
    x = torch.arange(window.left, window.left + window.width, device=image.device)[None] + displacement[1]
    places = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)[None]
    moved = F.grid_sample(
        image, places.to(image.dtype), mode="bicubic", padding_mode="border", align_corners=False
    )[0]
    low, high = limits or (image.amin(dim=(0, 2, 3)), image.amax(dim=(0, 2, 3)))
    return torch.minimum(torch.maximum(moved, low[:, None, None]), high[:, None, None])
