"""Tell, without the truth, whether the removal of a mark has done an image good."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.operators.gradient import gradient

NEAR, APART = 4, 1
"""Distances from the outline, in pixels, between which edges count as those of its surroundings."""


def part_removed(image: Tensor, clean: Tensor, opacity: Tensor) -> float:
    """Return which part of the edges that a mark's outline adds to an image its removal takes away.

    Parameters
    ----------
    image, clean : Tensor of shape (C, H, W)
        The image with the mark, and after its removal.
    opacity : Tensor of shape (H, W)
        Opacity of the mark, in [0, 1].

    Returns
    -------
    float
        1 where the outline shows as many edges as its surroundings, 0 where it shows as many as before, and
        below 0 where there are more. 0 without an outline.

    Notes
    -----
    ``(e(I) − e(C)) / (e(I) − s)`` with e the mean of ``|∇C|``, weighted by ``|∇a|``, and s the mean of
    ``|∇C|`` nearby. Where the outline hardly shows in the image, the denominator is at least a tenth of e(I).
    """
    outline = gradient(opacity).abs()
    total = outline.sum()
    if float(total) <= 0:
        return 0.0
    before, after = (
        float((gradient(one).abs().sum(dim=1) * outline).sum() / total) for one in (image, clean)
    )
    at = (outline.amax(dim=0) > 0)[None, None].float()
    near = _grown(at, NEAR) & ~_grown(at, APART)
    around = float(gradient(clean).abs().sum(dim=1)[:, near].mean()) if bool(near.any()) else 0.0
    return (before - after) / max(before - around, 0.1 * before, 1e-9)


def _grown(mask: Tensor, radius: int) -> Tensor:
    """Dilate a mask (1, 1, H, W) by a square; return it as bool (H, W)."""
    return F.max_pool2d(mask, 2 * radius + 1, 1, radius)[0, 0] > 0
