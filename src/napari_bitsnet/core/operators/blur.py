"""Convolution with a Gaussian."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.operators.padding import pad_by_reflection


def blur(image: Tensor, width: float) -> Tensor:
    """Convolve images with a Gaussian.

    Parameters
    ----------
    image : Tensor of shape (..., H, W)
        Any values.
    width : float
        Standard deviation of the Gaussian in pixels, >= 0; 0 returns the image unchanged.

    Returns
    -------
    Tensor of shape (..., H, W)

    Notes
    -----
    ``y = g * x``, ``g(d) ~ exp(-d**2 / (2 width**2))`` along columns, then rows, cut off at 4 widths (scipy's
    default); the image is mirrored at the outer edge of its border pixels (scipy's mode "reflect"), so that
    its mean stays.
    """
    radius = int(4 * width + 0.5)
    if radius == 0:
        return image
    distance = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (distance / width) ** 2)
    kernel = kernel / kernel.sum()
    planes = pad_by_reflection(image, radius, repeat_edge=True)
    planes = planes.reshape(-1, 1, *planes.shape[-2:])  # one channel each
    planes = torch.nn.functional.conv2d(planes, kernel.view(1, 1, -1, 1))
    planes = torch.nn.functional.conv2d(planes, kernel.view(1, 1, 1, -1))
    return planes.reshape(image.shape)
