"""Random parts of images, turned and resized at random."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def random_crop(image: Tensor, size: int, draw: Generator, *, turns: bool, zoom: float) -> Tensor:
    """Cut a square out of an image (C, H, W) and bring it to (C, size, size).

    Parameters
    ----------
    image : Tensor of shape (C, H, W)
        At least one pixel a side; a square that does not fit is cut smaller.
    size : int
        Side of the answer, pixels.
    draw : Generator
        Source of all randomness.
    turns : bool
        Also flips upside down and swaps rows and columns, as suits images without an up and down.
    zoom : float
        >= 1; the side of the square is between size / zoom and size * zoom, and 1 keeps the pixels as they
        are.
    """
    side = size
    if zoom > 1:
        side = round(size * zoom ** float(2 * torch.rand((), generator=draw) - 1))
    side = min(side, *image.shape[1:])
    y, x = (int(torch.randint(length - side + 1, (), generator=draw)) for length in image.shape[1:])
    crop = image[:, y : y + side, x : x + side].float()
    flips = torch.rand(3, generator=draw) < 0.5
    if flips[0]:
        crop = crop.flip(-1)
    if turns and flips[1]:
        crop = crop.flip(-2)
    if turns and flips[2]:
        crop = crop.transpose(-1, -2)
    if side == size:
        return crop
    resized = F.interpolate(
        crop[None], (size, size), mode="bilinear", antialias=side > size, align_corners=False
    )
    return resized[0]
