"""A foreground before a background: from marks and a mask at a small size to whole layers at full size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.guided_filter import apply_coefficients, linear_coefficients
from napari_bitsnet.core.patches.sparse_fill import membrane_fill
from napari_bitsnet.core.stages import Stage, Stages

NECK = 3
"""Smallest width, in pixels, of a connection between parts of the foreground."""
SEEN = 0.9
"""Opacity above which a pixel shows the foreground alone, and below 1 minus which the background alone."""


def reduced(image: Tensor, hints: Tensor, longest: int) -> tuple[Tensor, Tensor]:
    """Shrink an image (1, C, H, W) and marks (K, 1, H, W) until the longer side is at most `longest`.

    Marks stay where any pixel below is marked.
    """
    size = (image.shape[-2], image.shape[-1])
    factor = longest / max(size)
    if factor >= 1:
        return image, hints
    small = (max(4, round(size[0] * factor)), max(4, round(size[1] * factor)))
    return F.interpolate(image, size=small, mode="area"), F.adaptive_max_pool2d(hints, small)


def attached(chance: Tensor, hints: Tensor) -> Tensor:
    """Keep the parts of the foreground (H, W) that are connected to a mark over at least `NECK` pixels.

    Parameters
    ----------
    chance : Tensor of shape (H, W)
        Above 0.5 in the foreground.
    hints : Tensor of shape (K, 1, H, W)
        The first one marks the foreground.
    """
    import numpy as np
    from scipy.ndimage import binary_dilation, binary_opening, label

    found = (chance > 0.5).cpu().numpy()
    marks = (hints[0, 0] > 0).cpu().numpy()
    square = np.ones((NECK, NECK), bool)
    parts, _ = label(binary_opening(found, square) | (marks & found))  # connected by sides, not by corners
    kept = np.isin(parts, np.unique(parts[marks & (parts > 0)]))
    kept = binary_dilation(kept, square) & found
    return torch.where(torch.from_numpy(kept).to(chance.device), chance, torch.minimum(chance, 1 - chance))


def refined(mask: Tensor, seen: Tensor, image: Tensor, *, radius: int) -> Tensor:
    """Enlarge a mask along the edges of an image, by a guided filter.

    Parameters
    ----------
    mask : Tensor of shape (1, 1, h, w)
        In [0, 1], at the size of `seen`.
    seen, image : Tensor of shape (1, C, h, w) and (1, C, H, W)
        The same image at both sizes, on the [0, 1] scale.
    radius : int
        Radius of the filter's windows, in pixels of `seen`.

    Returns
    -------
    Tensor of shape (1, 1, H, W)
        In [0, 1]; the mask itself where both sizes are the same.
    """
    if seen.shape == image.shape:
        return mask

    def enlarged(part: Tensor) -> Tensor:
        return F.interpolate(part, size=image.shape[-2:], mode="bilinear", align_corners=False)

    a, b = linear_coefficients(seen, mask, radius=radius, epsilon=1e-4)
    beyond = mask - apply_coefficients(a, b, seen)
    return apply_coefficients(enlarged(a), enlarged(b + beyond), image).clamp(0, 1)


def obeying(mask: Tensor, hints: Tensor) -> Tensor:
    """Return the mask (1, 1, H, W): 1 where the first of the hints (K, 1, H, W) marks, 0 where another one
    does."""
    marked = hints > 0
    return mask.masked_fill(marked[:1], 1.0).masked_fill(marked[1:].any(dim=0, keepdim=True), 0.0)


def completing(image: Tensor, mask: Tensor, valid: Tensor | None) -> Stages[Tensor]:
    """Return foreground and background (2, C, H, W), each filled where the other one is visible.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        On the [0, 1] scale.
    mask : Tensor of shape (1, 1, H, W)
        Opacity of the foreground.
    valid : Tensor of shape (1, 1, H, W), optional
        bool, False where pixels are missing.

    Yields
    ------
    Stage
        Each layer.
    """
    layers = []
    for name, own in (("foreground", mask > SEEN), ("background", mask < 1 - SEEN)):
        yield Stage(f"completing the {name}")
        known = own if valid is None else own & valid
        layers.append(membrane_fill(image, ~known) if bool(known.any()) else image)
    return torch.cat(layers)
