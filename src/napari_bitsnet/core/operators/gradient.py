"""The gradient of an image by forward differences, and its adjoint."""

from __future__ import annotations

from torch import Tensor


def gradient(image: Tensor) -> Tensor:
    """Return the forward differences of images, zero at the far border.

    Parameters
    ----------
    image : Tensor of shape (N, C, H, W)

    Returns
    -------
    Tensor of shape (N, 2, C, H, W)
        ``[:, 0]`` along y: ``x[y + 1] - x[y]``; ``[:, 1]`` along x.
    """
    out = image.new_zeros(image.shape[0], 2, *image.shape[1:])
    out[:, 0, :, :-1] = image.diff(dim=-2)
    out[:, 1, :, :, :-1] = image.diff(dim=-1)
    return out


def divergence(field: Tensor) -> Tensor:
    """Return the divergence of a field, which is minus the adjoint of `gradient`.

    Parameters
    ----------
    field : Tensor of shape (N, 2, C, H, W)
        What lies on the far borders, where `gradient` is zero, does not count.

    Returns
    -------
    Tensor of shape (N, C, H, W)

    Notes
    -----
    ``<gradient(x), f> = -<x, divergence(f)>`` for all images x and fields f.
    """
    dy, dx = field[:, 0, :, :-1], field[:, 1, :, :, :-1]
    out = field.new_zeros(field[:, 0].shape)
    out[:, :, :-1] += dy
    out[:, :, 1:] -= dy
    out[..., :-1] += dx
    out[..., 1:] -= dx
    return out
