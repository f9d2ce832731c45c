"""Structure that sources invent: what appears in them with opposite sign and cancels in the mixture."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.guided_filter import box_mean

WINDOW = 2
"""Radius, in pixels, of the window in which gradients are added up."""
STRIP = 2**20
"""Pixels that are looked at at a time."""
FLOOR = 0.25
"""Part of the mean gradient of the observation below which its own gradients count as none."""


def gradient_size(image: Tensor) -> Tensor:
    """``|∇ image|`` by central differences, root mean square over channels: (N, C, H, W) -> (N, 1, H, W)."""
    slopes = torch.gradient(image, dim=(2, 3))
    return (slopes[0] ** 2 + slopes[1] ** 2).mean(dim=1, keepdim=True).sqrt()


def phantom_map(sources: Tensor, observation: Tensor, valid: Tensor | None = None) -> Tensor:
    """Where sources have edges that the observation has not: ``(sum_k |∇y_k| - |∇I|) / |∇I|``.

    Parameters
    ----------
    sources : Tensor of shape (K, C, H, W)
        Shares of the observation.
    observation : Tensor of shape (1, C, H, W)
        Their sum.
    valid : Tensor of shape (1, 1, H, W), optional
        bool, False where pixels are missing.

    Returns
    -------
    Tensor of shape (1, 1, H, W)
        Dimensionless, >= 0; 0 where edges lie in one source or have one sign in all, 1 where as much
        structure cancels as the observation shows.

    Notes
    -----
    Gradients are averaged over a window of ``2 * WINDOW + 1`` pixels before the ratio is taken, and |∇I|
    counts as at least `FLOOR` of its mean. True sources whose edges cross with opposite sign appear too.
    """
    height, width = observation.shape[-2:]
    strip, halo = max(1, STRIP // width), WINDOW + 1
    total, count = 0.0, 0
    shown, found = torch.empty_like(observation[:, :1]), torch.empty_like(observation[:, :1])
    for top in range(0, height, strip):
        above, below = max(0, top - halo), min(height, top + strip + halo)
        own = gradient_size(observation[:, :, above:below])
        each = torch.stack([gradient_size(s[None, :, above:below]) for s in sources]).sum(dim=0)
        inner, place = slice(top - above, min(top + strip, height) - above), slice(top, top + strip)
        seen = own[:, :, inner] if valid is None else own[:, :, inner][valid[:, :, place]]
        total, count = total + float(seen.sum()), count + seen.numel()
        shown[:, :, place] = box_mean(own, WINDOW)[:, :, inner]
        found[:, :, place] = box_mean(each, WINDOW)[:, :, inner]
    floor = FLOOR * total / max(count, 1) + 1e-12
    return found.sub_(shown).div_(shown.clamp_(min=floor)).clamp_(min=0)
