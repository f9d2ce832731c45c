"""Gaussian smoothing, the simplest denoiser: it only assumes that noise is finer than the image's content."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.core.operators.blur import blur


@DENOISERS.register("gaussian")
@torch.no_grad()
def gaussian(image: Tensor, sigma: float, *, width: float | None = None) -> Tensor:
    """Smooth with a Gaussian.

    Parameters
    ----------
    image : Tensor of shape (N, C, H, W)
        On the [0, 1] scale; every image and channel is denoised independently.
    sigma : float
        Standard deviation of the noise on that scale, >= 0; 0 returns the image unchanged.
    width : float, optional
        Standard deviation of the kernel in pixels, > 0; default ``2.8 * sqrt(sigma)``, nearly optimal for
        photographs at noise levels from 0.01 to 0.2.

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
    See `napari_bitsnet.core.operators.blur.blur`.
    """
    if sigma < 0:
        raise ValueError(f"Expected sigma >= 0, got {sigma:g}.")
    if sigma == 0:
        return image
    width = 2.8 * math.sqrt(sigma) if width is None else width
    if width <= 0:
        raise ValueError(f"Expected a width > 0 pixels, got {width:g}.")
    return blur(image, width)
