"""Fill holes of an image with what its surroundings are made of: few cosine waves in every small window."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.operators.conjugate_gradients import conjugate_gradients
from napari_bitsnet.core.operators.gradient import divergence, gradient
from napari_bitsnet.core.operators.poisson import cosine_transform
from napari_bitsnet.core.patches.groups import opponent

WINDOW = 8
"""Side of the windows, in pixels."""
FIRST, LAST = 0.3, 0.04
"""Thresholds below which waves are left out, at the first step and at the last."""


def sparse_fill(image: Tensor, missing: Tensor, *, steps: int = 20) -> Tensor:
    """Fill missing pixels.

    Parameters
    ----------
    image : Tensor of shape (N, C, H, W)
        On the [0, 1] scale; values at missing pixels do not matter.
    missing : Tensor of shape (1, 1, H, W)
        bool.
    steps : int
        Of the iteration, >= 2.

    Returns
    -------
    Tensor of shape (N, C, H, W)
        Known pixels unchanged.

    Notes
    -----
    Begins with `smooth_fill` and repeats ``x = known ? image : S_t(x)``, where S_t leaves out the waves
    weaker than t of every 8 x 8 window's cosine transform (but its mean) and averages the windows that cover
    a pixel, those with fewer waves counting more; t falls from .3 to .04. Colours are taken along opponent
    axes. Only the windows around the holes are worked on.

    References
    ----------
    Guleryuz, "Nonlinear approximation based image recovery using adaptive sparse reconstructions and iterated
    denoising", IEEE TIP 15(3), 2006, doi:10.1109/TIP.2005.863057.
    """
    if not bool(missing.any()):
        return image
    rows, columns = (missing[0, 0].any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    place = tuple(
        slice(max(0, int(at[0]) - 2 * WINDOW), int(at[-1]) + 1 + 2 * WINDOW) for at in (rows, columns)
    )
    hole, part = missing[..., place[0], place[1]], image[..., place[0], place[1]]
    start = smooth_fill(part, hole)
    known, filled = opponent(part), opponent(start)
    for step in range(steps):
        threshold = FIRST * (LAST / FIRST) ** (step / (steps - 1))
        filled = torch.where(hole, _few_waves(filled, threshold), known)
    result = image.clone()
    found = opponent(filled, inverse=True).clamp(0, 1)
    result[..., place[0], place[1]] = torch.where(hole, found, part)
    return result


def smooth_fill(image: Tensor, missing: Tensor, *, tolerance: float = 1e-4, steps: int = 500) -> Tensor:
    """Fill missing pixels with the surface of least curvature: ``min ‖Δx‖²`` with the known pixels held.

    Parameters
    ----------
    image : Tensor of shape (N, C, H, W)
        Values at missing pixels are what conjugate gradients begin from.
    missing : Tensor of shape (1, 1, H, W)
        bool.
    tolerance : float
        Largest residual, relative to the first one.
    steps : int
        Most steps of conjugate gradients.
    """
    hole = missing.to(image)
    known = image * (1 - hole)

    def operator(x: Tensor) -> Tensor:
        return hole * _laplacian(_laplacian(hole * x))

    x = hole * _nearby_mean(known, 1 - hole)
    residual = -hole * _laplacian(_laplacian(known + x))
    x = conjugate_gradients(operator, residual, x, steps=steps, tolerance=tolerance)
    return known + hole * x


def membrane_fill(image: Tensor, missing: Tensor, *, sweeps: int = 20) -> Tensor:
    """Fill missing pixels, however many, with a membrane held by the known ones: ``min ‖∇x‖²``, nearly.

    Parameters
    ----------
    image : Tensor of shape (N, C, H, W)
        Any values where pixels are missing.
    missing : Tensor of shape (1, 1, H, W)
        bool; at least one pixel is known.
    sweeps : int
        Averages over four neighbours on each scale, from coarse to fine.
    """
    known = 1 - missing.to(image)
    return _membrane(image * known, known, sweeps)


def _membrane(total: Tensor, weight: Tensor, sweeps: int) -> Tensor:
    """Values (N, C, H, W) times their weights (1, 1, H, W), filled in where the weights are 0."""
    height, width = total.shape[-2:]
    here = total / weight.clamp_min(1e-6)
    hole = weight == 0
    if not bool(hole.any()) or min(height, width) < 2:
        mean = total.sum(dim=(-2, -1), keepdim=True) / weight.sum().clamp_min(1e-6)
        return torch.where(hole, mean, here)
    values, weights = (F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) for x in (total, weight))
    coarse = _membrane(values, weights, sweeps)
    filled = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    filled = torch.where(hole, filled, here)
    for _ in range(sweeps):
        around = F.pad(filled, (1, 1, 1, 1), mode="replicate")
        mean = around[..., :-2, 1:-1] + around[..., 2:, 1:-1] + around[..., 1:-1, :-2] + around[..., 1:-1, 2:]
        filled = torch.where(hole, mean / 4, here)
    return filled


def _laplacian(image: Tensor) -> Tensor:
    return -divergence(gradient(image))


def _nearby_mean(known: Tensor, weight: Tensor) -> Tensor:
    """Mean of the known pixels in the smallest of growing windows that holds any; (N, C, H, W)."""
    from napari_bitsnet.core.guided_filter import box_mean

    result, radius, largest = torch.zeros_like(known), 1, max(known.shape[-2:])
    left = torch.ones_like(weight, dtype=torch.bool)
    while bool(left.any()) and radius <= 2 * largest:
        share = box_mean(weight, radius)
        here = left & (share > 1e-9)
        result = torch.where(here, box_mean(known, radius) / share.clamp_min(1e-9), result)
        left, radius = left & ~here, 2 * radius
    return result


def _few_waves(image: Tensor, threshold: float) -> Tensor:
    """Leave out weak waves of every window, channel by channel: (N, C, H, W) -> (N, C, H, W)."""
    planes = image.reshape(-1, 1, *image.shape[-2:])
    pad = WINDOW - 1
    waves = _cosine_filters().to(image)
    found = F.conv2d(F.pad(planes, (pad, pad, pad, pad), mode="replicate"), waves)
    kept = found.abs() > threshold
    kept[:, 0] = True
    trust = 1 / kept.sum(dim=1, keepdim=True).to(image)
    total = F.conv_transpose2d(found * kept * trust, waves)
    weight = F.conv_transpose2d(trust, torch.ones(1, 1, WINDOW, WINDOW).to(image))
    return (total / weight)[..., pad:-pad, pad:-pad].reshape(image.shape)


def _cosine_filters() -> Tensor:
    """The 64 two-dimensional cosine waves of a window, orthonormal, (64, 1, 8, 8); the mean first."""
    wave = cosine_transform(WINDOW)
    return torch.einsum("ai,bj->abij", wave, wave).reshape(WINDOW**2, 1, WINDOW, WINDOW)
