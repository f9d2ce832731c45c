"""Bilateral filter: edge-preserving smoothing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.core.operators.padding import pad_by_reflection


@DENOISERS.register("bilateral")
@torch.no_grad()
def bilateral(image: Tensor, sigma: float, *, contrast: float | None = None, width: float = 1.5) -> Tensor:
    """Average neighbours of similar brightness.

    Parameters
    ----------
    image, sigma
        See `Denoiser`.
    contrast : float, optional
        Standard deviation of the brightness kernel, on the same scale, > 0; default ``2 * sigma``.
    width : float
        Standard deviation of the neighbourhood in pixels, > 0.

    Notes
    -----
    ``y(p) = sum_t w(p, t) x(p + t) / sum_t w(p, t)`` with
    ``w(p, t) = exp(-|t|**2 / (2 width**2) - (x(p + t) - x(p))**2 / (2 contrast**2))`` over the square of
    ``2 ceil(3 width) + 1`` pixels around p; the image is mirrored at the centres of its border pixels.

    References
    ----------
    Tomasi & Manduchi, "Bilateral filtering for gray and color images", ICCV 1998,
    doi:10.1109/ICCV.1998.710815.
    """
    contrast = 2 * sigma if contrast is None else contrast
    if sigma < 0 or width <= 0:
        raise ValueError(f"Expected sigma >= 0 and width > 0 pixels, got {sigma:g} and {width:g}.")
    if sigma == 0:
        return image
    if contrast <= 0:
        raise ValueError(f"Expected contrast > 0, got {contrast:g}.")

    radius = math.ceil(3 * width)
    height, columns = image.shape[-2:]
    padded = pad_by_reflection(image, radius)
    total, answer = torch.zeros_like(image), torch.zeros_like(image)
    for down in range(2 * radius + 1):
        for right in range(2 * radius + 1):
            moved = padded[..., down : down + height, right : right + columns]
            nearness = ((down - radius) ** 2 + (right - radius) ** 2) / (2 * width**2)
            weights = ((moved - image) / contrast).square_().mul_(-0.5).sub_(nearness).exp_()
            total.add_(weights)
            answer.addcmul_(weights, moved)
    return answer / total
