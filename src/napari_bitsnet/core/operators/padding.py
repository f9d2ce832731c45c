"""Padding by reflection at any width, which torch's own padding limits to the image's size."""

from __future__ import annotations

import torch
from torch import Tensor


def reflected_indices(size: int, pad: int, *, repeat_edge: bool, device: torch.device) -> Tensor:
    """Return the indices of ``size + 2 * pad`` pixels that mirror a line at its ends, as often as needed.

    Parameters
    ----------
    size : int
        Pixels in the line.
    pad : int
        Pixels to add at each end, >= 0; may exceed `size`.
    repeat_edge : bool
        False mirrors at the centre of the last pixel (``c b | a b c``, numpy's "reflect"), True at its outer
        edge (``b a | a b c``, scipy's "reflect").
    device : torch.device
        Where the indices are made.

    Returns
    -------
    Tensor of shape (size + 2 * pad,), int64
    """
    position = torch.arange(-pad, size + pad, device=device)
    if repeat_edge:
        position = position % (2 * size)
        return torch.minimum(position, 2 * size - 1 - position)
    period = max(2 * size - 2, 1)
    position = position % period
    return torch.minimum(position, period - position) if size > 1 else torch.zeros_like(position)


def pad_by_reflection(image: Tensor, pad: int, *, repeat_edge: bool = False) -> Tensor:
    """Pad the last two dimensions by `pad` pixels on each side; see `reflected_indices`.

    Returns
    -------
    Tensor of shape (..., H + 2 * pad, W + 2 * pad)
    """
    for axis in (-2, -1):
        indices = reflected_indices(image.shape[axis], pad, repeat_edge=repeat_edge, device=image.device)
        image = image.index_select(axis, indices)
    return image
