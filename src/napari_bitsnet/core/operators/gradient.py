"""The gradient of an image by forward or central differences, and the divergence."""

from __future__ import annotations

from torch import Tensor


def gradient(image: Tensor) -> Tensor:
    """Return the forward differences along Y and X, zero at the far border; (..., H, W) -> (2, ..., H, W)."""
    field = image.new_zeros(2, *image.shape)
    field[0, ..., :-1, :] = image.diff(dim=-2)
    field[1, ..., :-1] = image.diff(dim=-1)
    return field


def divergence(field: Tensor) -> Tensor:
    """Return minus the adjoint of `gradient`; (2, ..., H, W) -> (..., H, W).

    ``<gradient(x), f> = -<x, divergence(f)>`` for all images x and fields f. Values of f on the far borders,
    where `gradient` is zero, do not count.
    """
    down, right = field[0, ..., :-1, :], field[1, ..., :-1]
    image = field.new_zeros(field.shape[1:])
    image[..., :-1, :] += down
    image[..., 1:, :] -= down
    image[..., :-1] += right
    image[..., 1:] -= right
    return image


def central_gradient(image: Tensor) -> Tensor:
    """Return the central differences along Y and X, zero at both borders; (..., H, W) -> (2, ..., H, W)."""
    field = image.new_zeros(2, *image.shape)
    field[0, ..., 1:-1, :] = (image[..., 2:, :] - image[..., :-2, :]) / 2
    field[1, ..., 1:-1] = (image[..., 2:] - image[..., :-2]) / 2
    return field
