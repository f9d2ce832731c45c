"""The 90 % interval of guided sources, from what stays unexplained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NORMAL_90 = 1.645
"""Half width of the 90 % interval of a Gaussian of standard deviation 1."""
WINDOW_ALL, WINDOW_SOME = 12 / 128, 3 / 128
"""Width of the window of the local variance where all sources have guides and where some have none, relative
to the shorter side."""
CALIBRATION_ALL, CALIBRATION_SOME = 1.0, 0.9
"""Factors of the interval where all sources have guides, and where some have none: coverage on real pairs is
90 % for both, averaged over kinds (`docs/benchmarks/guided.md`)."""
CONFUSION = 0.3
"""Standard deviation of the part that is given to the wrong side, relative to the explained part, where
nothing is explained."""
LEAST_SHARE = 0.3
"""A share counts as at least this, since what the guided side keeps of the rest is uncertain however small
its share."""
MAP_PIXELS = 2**18
"""Larger images get their map at this many pixels; it is interpolated."""


def half_width(
    rest: Tensor,
    explained: Tensor,
    energy: float,
    share: float,
    *,
    complete: bool,
    valid: Tensor | None = None,
) -> Tensor:
    """Return half the width of the 90 % interval of a source but for a constant, (1, C, H, W).

    Parameters
    ----------
    rest : Tensor of shape (1, C, H, W)
        What no guide explains.
    explained : Tensor of shape (K, C, H, W)
        What each guide explains.
    energy : float
        Part of the gradients' energy that is explained in held-out blocks.
    share : float
        Share of a guided source in the rest, 0 to 1.
    complete : bool
        Whether every source has a guide.
    valid : Tensor of shape (1, 1, H, W), bool, optional
        Pixels to look at.

    Notes
    -----
    A part of the rest that holds the share s, independent of the other part, has the variance ``s (1 - s)
    var(rest)``. The variance of the rest is the mean of that of the whole image and that in a Gaussian
    window. Confusion of two guided sides adds ``(CONFUSION (1 - e))² var(e_1 - e_2)``.
    """
    import torch
    from torch.nn import functional as F

    from napari_bitsnet.core.operators.blur import blur

    height, width = rest.shape[-2:]
    factor = min(1.0, (MAP_PIXELS / (height * width)) ** 0.5)
    size = (max(2, round(height * factor)), max(2, round(width * factor)))
    seen = torch.ones_like(rest[:, :1]) if valid is None else valid.to(rest)
    mean = (rest * seen).sum((2, 3), keepdim=True) / seen.sum()
    square = (rest - mean).square() * seen
    whole = square.sum((2, 3), keepdim=True) / seen.sum()
    window = (WINDOW_ALL if complete else WINDOW_SOME) * min(size)
    small, weight = (F.adaptive_avg_pool2d(image, size) for image in (square, seen))
    local = blur(small, window) / blur(weight, window).clamp_min(1e-3)
    s = max(share, LEAST_SHARE)
    calibration = CALIBRATION_ALL if complete else CALIBRATION_SOME
    variance = calibration**2 * s * (1 - s) * (local + whole) / 2
    if complete and len(explained) == 2:
        apart = (explained[:1] - explained[1:]) * seen
        middle = apart.sum((2, 3), keepdim=True) / seen.sum()
        spread = ((apart - middle * seen).square()).sum((2, 3), keepdim=True) / seen.sum()
        variance = variance + (CONFUSION * (1 - min(1.0, max(0.0, energy)))) ** 2 * spread
    half = NORMAL_90 * variance.clamp_min(1e-12).sqrt()
    if factor == 1:
        return half
    return F.interpolate(half, (height, width), mode="bilinear", align_corners=False)
