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
    image, sigma
        See `Denoiser`.
    width : float, optional
        Standard deviation of the kernel in pixels, > 0; default ``2.8 * sqrt(sigma)``, nearly optimal for
        photographs at noise levels from 0.01 to 0.2.

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
