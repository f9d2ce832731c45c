"""Guided filter: an image as a locally linear function of another one."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def box_mean(image: Tensor, radius: int) -> Tensor:
    """Return the mean over a square window of side ``2 * radius + 1``, over pixels inside the image.

    Parameters
    ----------
    image : Tensor of shape (N, C, H, W)
        Any values.
    radius : int
        >= 0; 0 returns the image.

    Returns
    -------
    Tensor of the same shape
        Means. The cost is independent of `radius`: differences of cumulative sums, in float64.
    """
    if radius == 0:
        return image
    height, width = image.shape[-2:]
    total = F.pad(image.double().cumsum(-1).cumsum(-2), (1, 0, 1, 0))

    def edges(size: int) -> tuple[Tensor, Tensor]:
        at = torch.arange(size, device=image.device)
        return (at - radius).clamp(min=0), (at + radius + 1).clamp(max=size)

    (top, bottom), (left, right) = edges(height), edges(width)
    rows = total[..., bottom, :] - total[..., top, :]
    window = rows[..., right] - rows[..., left]
    count = (bottom - top)[:, None] * (right - left)[None, :]
    return (window / count).to(image.dtype)


def linear_coefficients(
    guide: Tensor, target: Tensor, *, radius: int, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Fit ``target = a · guide + b`` in every window and average the fits that cover a pixel.

    Parameters
    ----------
    guide : Tensor of shape (1, P, H, W)
        P values per pixel, on the [0, 1] scale.
    target : Tensor of shape (1, Q, H, W)
        Q values per pixel to fit.
    radius : int
        Radius of the windows, in pixels.
    epsilon : float
        Ridge on `a`, in squared units of the guide: contrasts well below its root are smoothed.

    Returns
    -------
    a : Tensor of shape (Q, P, H, W)
    b : Tensor of shape (1, Q, H, W)

    References
    ----------
    He, Sun & Tang, "Guided Image Filtering", IEEE TPAMI 35(6), 2013, doi:10.1109/TPAMI.2012.213.
    """
    _, p, height, width = guide.shape
    q = target.shape[1]
    x, y = guide.double(), target.double()
    mean_x, mean_y = box_mean(x, radius), box_mean(y, radius)
    outer_xx = (x[0, :, None] * x[0, None]).reshape(1, p * p, height, width)
    outer_xy = (x[0, :, None] * y[0, None]).reshape(1, p * q, height, width)
    covariance_xx = (
        box_mean(outer_xx, radius).reshape(p, p, height, width) - mean_x[0, :, None] * mean_x[0, None]
    )
    covariance_xy = (
        box_mean(outer_xy, radius).reshape(p, q, height, width) - mean_x[0, :, None] * mean_y[0, None]
    )
    ridge = epsilon * torch.eye(p, dtype=x.dtype, device=x.device)
    solved = torch.linalg.solve(
        covariance_xx.permute(2, 3, 0, 1) + ridge, covariance_xy.permute(2, 3, 0, 1)
    )  # (H, W, P, Q)
    a = solved.permute(3, 2, 0, 1)
    b = mean_y - (a * mean_x).sum(dim=1)[None]
    a = box_mean(a, radius)
    return a.to(guide.dtype), box_mean(b, radius).to(guide.dtype)


def apply_coefficients(a: Tensor, b: Tensor, guide: Tensor) -> Tensor:
    """Return ``a · guide + b``, (1, Q, H, W), for coefficients of the guide's size."""
    return (a * guide).sum(dim=1)[None] + b
