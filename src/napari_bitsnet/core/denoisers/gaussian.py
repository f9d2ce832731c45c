"""Gaussian smoothing, the simplest denoiser: nothing about the image but that noise is finer than what it shows."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.core.denoisers._padding import pad_by_reflection

TRUNCATE = 4.0  # the kernel ends at this many standard deviations


@DENOISERS.register("gaussian")
@torch.no_grad()
def gaussian(image: Tensor, sigma: float, *, width: float | None = None) -> Tensor:
    """Smooth with a Gaussian.

    Parameters
    ----------
    image : Tensor of shape (N, C, H, W)
        On the [0, 1] scale; every image and channel is denoised by itself.
    sigma : float
        Standard deviation of the noise on that scale, >= 0; 0 returns the image unchanged.
    width : float, optional
        Standard deviation of the kernel in pixels, > 0; default ``2.8 * sqrt(sigma)``, near the best for
        photographs at noise levels from .01 to .2.

    Returns
    -------
    Tensor of shape (N, C, H, W)
        On the image's device, without gradient.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Notes
    -----
    ``y = g * x``, ``g(d) ~ exp(-d**2 / (2 width**2))`` along rows, then columns, cut off at 4 widths; the image is
    mirrored at the outer edge of its border pixels (scipy's mode "reflect").
    """
    if sigma < 0:
        raise ValueError(f"Expected sigma >= 0, got {sigma:g}.")
    if sigma == 0:
        return image
    width = 2.8 * math.sqrt(sigma) if width is None else width
    if width <= 0:
        raise ValueError(f"Expected a width > 0 pixels, got {width:g}.")
    return blur(image, width)


def blur(image: Tensor, width: float) -> Tensor:
    """Convolve (N, C, H, W) with a Gaussian of standard deviation `width` pixels; see `gaussian`."""
    radius = int(TRUNCATE * width + 0.5)
    distance = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (distance / width) ** 2)
    kernel = kernel / kernel.sum()
    planes = pad_by_reflection(image, radius, repeat_edge=True)
    planes = planes.reshape(-1, 1, *planes.shape[-2:])  # one channel each
    planes = torch.nn.functional.conv2d(planes, kernel.view(1, 1, -1, 1))
    planes = torch.nn.functional.conv2d(planes, kernel.view(1, 1, 1, -1))
    return planes.reshape(image.shape)
