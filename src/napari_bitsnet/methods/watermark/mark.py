"""Find where a mark of one colour lies on one image or several, and about how opaque it is."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.operators.gradient import gradient
from napari_bitsnet.methods.watermark.edges import Edges

TRIED = (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)
"""Opacities that the search for the mark tries."""
ROUGH_SIZE = 256
"""Side in pixels of the images that are searched first; larger ones then only near what was found."""
AREA = 0.05
"""Cost of a pixel of the mark, per image."""


def find_mark(
    edges: Edges,
    region: Tensor,
    opacity: float,
    *,
    length: float = 1.0,
    steps: int = 200,
    start: Tensor | None = None,
) -> tuple[Tensor, float]:
    """Find where a mark of a known opacity lies.

    Parameters
    ----------
    edges : Edges
        Edges of the images.
    region : Tensor of shape (H, W)
        bool, where the mark may be.
    opacity : float
        a, in (0, 1).
    length : float
        Cost of an outline's length, per image.
    steps : int
        Number of solver steps.
    start : Tensor of shape (H, W), optional
        A mark in [0, 1] to begin from; None begins without a mark.

    Returns
    -------
    mark : Tensor of shape (H, W)
        Mask in [0, 1], almost everywhere 0 or 1.
    energy : float
        Negative if the mark explains more than it costs.

    Notes
    -----
    Solves ``min_u sum_e sum_mc trust |g − l (∇u)_e| + length |(∇u)_e| + area sum u`` over u in {0, 1}, with
    the logarithmic gradients g and ``l = log(1 − a)``: without the mark, the images should have as few edges
    as possible. The area cost is so small that it only decides where the images have no edges. Each pairwise
    term is submodular (``2|g| <= |g − l| + |g + l|``), so relaxing u to [0, 1] is exact: this is a minimum
    cut, solved by the primal-dual method. Departure from the median of gradients over images: the median
    needs many images, while this works with one.

    References
    ----------
    Dekel, Rubinstein, Liu & Freeman, "On the effectiveness of visible watermarks", CVPR 2017,
    doi:10.1109/CVPR.2017.726.
    Chambolle & Pock, "A first-order primal-dual algorithm for convex problems", J. Math. Imaging Vis. 40,
    2011, doi:10.1007/s10851-010-0251-1.
    """
    whole, place = torch.zeros_like(edges.steps[0, 0, 0]), _around(region)
    edges, region = edges.cropped(*place), region[place]
    step = math.log(1 - opacity)
    g, least = edges.steps, length * edges.steps.shape[1]
    rise = ((g - step).abs() - g.abs()).mul(edges.trust).sum(dim=(1, 2)) + least
    fall = ((g + step).abs() - g.abs()).mul(edges.trust).sum(dim=(1, 2)) + least
    up, down = 10 / 8**0.5, 0.1 / 8**0.5
    allowed, area = region.to(g), AREA * g.shape[1]
    mark = torch.zeros_like(allowed) if start is None else torch.minimum(start[place], allowed)
    moved, ahead = torch.zeros_like(mark), mark.clone()
    dual, slopes, lowest = torch.zeros_like(rise), torch.zeros_like(rise), -fall
    for bound in (lowest, rise):  # differences across the far borders are none
        bound[0, -1] = bound[1, :, -1] = 0
    for _ in range(steps):  # in place: new arrays of this size cost more than what is computed
        torch.sub(ahead[1:], ahead[:-1], out=slopes[0, :-1])
        torch.sub(ahead[:, 1:], ahead[:, :-1], out=slopes[1, :, :-1])
        torch.clamp(dual.add_(slopes, alpha=up), lowest, rise, out=dual)
        torch.add(dual[0], dual[1], out=moved)  # its divergence
        moved[1:] -= dual[0, :-1]
        moved[:, 1:] -= dual[1, :, :-1]
        moved.sub_(area).mul_(down).add_(mark).clamp_(min=0)
        torch.minimum(moved, allowed, out=moved)
        torch.lerp(mark, moved, 2.0, out=ahead)
        mark, moved = moved, mark
    change = gradient(mark)
    energy = (rise * change.clamp_min(0) - fall * change.clamp_max(0)).sum() + area * mark.sum()
    whole[place] = mark
    return whole, float(energy)


def _around(region: Tensor) -> tuple[slice, slice]:
    """Return the window of a region (H, W) and of its neighbours; of an empty one, a corner."""
    rows, columns = (region.any(dim=axis).nonzero()[:, 0].tolist() or [0] for axis in (1, 0))
    return slice(max(0, rows[0] - 1), rows[-1] + 2), slice(max(0, columns[0] - 1), columns[-1] + 2)


class Mark(NamedTuple):
    """A mark that was found: its mask (H, W), its energy and its opacity."""

    mask: Tensor
    energy: float
    opacity: float


def finding_best_mark(
    edges: Edges,
    region: Tensor,
    *,
    length: float = 1.0,
    steps: int = 200,
    tried: Sequence[float] = TRIED,
    start: Tensor | None = None,
) -> Generator[Mark | None, None, Mark]:
    """Return the best mark of the opacities `tried`; before each of them, the best so far is yielded."""
    best: Mark | None = None
    for opacity in tried:
        yield best
        found = find_mark(edges, region, opacity, length=length, steps=steps, start=start)
        if best is None or found[1] < best.energy:
            best = Mark(*found, opacity)
    assert best is not None
    return best


def reduced(images: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
    """Return images (M, C, H, W) and a region (H, W) of at least `ROUGH_SIZE` pixels a side for a first
    search; smaller ones as they are."""
    factor = max(1, min(images.shape[-2:]) // ROUGH_SIZE)
    if factor == 1:
        return images, region
    return F.avg_pool2d(images, factor), F.avg_pool2d(region[None].to(images), factor)[0] > 0.5


def near_mark(found: Mark, region: Tensor) -> tuple[Tensor, Tensor, tuple[float, ...]]:
    """Return where to search at full size, what to begin from, and which opacities to try, given the mark of
    `reduced` images.

    Parameters
    ----------
    found : Mark
    region : Tensor of shape (H, W)
        bool, where the mark may be.

    Returns
    -------
    region : Tensor of shape (H, W)
        Its part in the window of the mark, with a margin of an eighth of the image.
    start : Tensor of shape (H, W)
    tried : tuple of float
        The mark's opacity and the next ones in `TRIED`.
    """
    start = enlarged(found.mask, region)
    rows, columns = _around(start > 0.5)
    window, (y, x) = torch.zeros_like(region), (n // 8 for n in region.shape)
    window[max(0, rows.start - y) : rows.stop + y, max(0, columns.start - x) : columns.stop + x] = True
    at = TRIED.index(found.opacity)
    return region & window, start, TRIED[max(0, at - 1) : at + 2]


def enlarged(mask: Tensor, like: Tensor) -> Tensor:
    """Return a mask of `reduced` images at full size, that of `like` (H, W)."""
    if mask.shape == like.shape:
        return mask
    return F.interpolate(mask[None, None], size=tuple(like.shape))[0, 0]
