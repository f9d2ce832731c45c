"""Find a mark of one colour over one image or several: its outline, its opacity and the image below.

With the mark's colour W known, ``W − I = (1 − a)(W − C)``. In logarithms the mark adds ``log(1 − a)``, the
same term to every image and channel, for any content C. The functions below search for this common term in
the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.guided_filter import box_mean
from napari_bitsnet.core.operators.gradient import gradient
from napari_bitsnet.core.operators.nearest import nearest_valid
from napari_bitsnet.core.patches.sparse_fill import smooth_fill
from napari_bitsnet.core.stages import Stage, Stages

STEP = 1 / 255
"""Resolution of differences to the mark's colour, on the [0, 1] scale; smaller ones are clipped to it."""
TRIED = (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)
"""Opacities that the search for the mark tries."""
ROUGH_SIZE = 256
"""Side in pixels of the images that are searched first; larger ones then only near what was found."""
OPAQUE = 0.95
"""Opacity above which the underlying pixel cannot be recovered."""
DOUBTFUL, FAINT = 0.6, 0.25
"""Opacities above which a pixel on the outline, where the opacity is uncertain, counts as hidden: for
translucent and for opaque marks."""
AREA = 0.05
"""Cost of a pixel of the mark, per image."""
UNSEEN = 0.05
"""Opacity on the outline of an opaque mark below which it counts as 0."""
TOO_FAINT = 0.02
"""Opacities below this count as 0: these pixels are not changed."""
FIRST_WIDTH, LAST_WIDTH = 0.4, 0.008
"""Tolerance of the search for the opacity, in log(1 - a)."""
SOFT_LENGTH = 0.3
"""Cost of a soft outline's length, relative to a sharp outline."""


@dataclass(frozen=True)
class Edges:
    """Logarithmic gradients of all images, and the weight of each.

    Parameters
    ----------
    steps : Tensor of shape (2, M, C, H, W)
        ``∇ log |W − I|``.
    trust : Tensor of the same shape
        Weight: inverse of the mean gradient magnitude in the neighbourhood, including noise.
    """

    steps: Tensor
    trust: Tensor

    def cropped(self, rows: slice, columns: slice) -> Edges:
        """Return the edges within a window."""
        return Edges(self.steps[..., rows, columns], self.trust[..., rows, columns])


def log_edges(images: Tensor, colour: Tensor, *, radius: int = 9) -> Edges:
    """Return the logarithmic gradients of images under a mark of a known colour.

    Parameters
    ----------
    images : Tensor of shape (M, C, H, W)
        On the [0, 1] scale.
    colour : Tensor of shape (C,)
        W.
    radius : int
        Radius, in pixels, of the windows over which gradient magnitudes are averaged for the weights.
    """
    contrast = (colour[:, None, None] - images).abs().clamp_min(2 * STEP)
    steps = gradient(contrast.log())
    least = torch.stack([torch.minimum(contrast, contrast.roll(-1, axis)) for axis in (-2, -1)])
    around = box_mean(steps.abs().flatten(0, 1), radius).reshape(steps.shape)
    return Edges(steps, 1 / (around + STEP / least))


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


def softening_mark(
    edges: Edges,
    mark: Tensor,
    region: Tensor,
    opacity: float | None,
    guess: float,
    *,
    length: float = 1.0,
    steps: int = 150,
) -> Stages[Tensor]:
    """Fit the mark's opacity, inside and along its soft outline, and tell the stages.

    Parameters
    ----------
    edges : Edges
        Edges of the images.
    mark : Tensor of shape (H, W)
        bool, True on the mark.
    region : Tensor of shape (H, W)
        bool, True where the mark may be.
    opacity : float, optional
        Opacity inside; None searches for the one with the lowest energy.
    guess : float
        Start of the search.
    length, steps
        As in `find_mark`.

    Returns
    -------
    Tensor of shape (H, W)
        a in [0, 1).

    Notes
    -----
    Minimises the energy of `find_mark` over ``L = log(1 − a)``. L is free within one pixel of the outline,
    log(1 − opacity) inside and 0 outside.
    """
    inside = ~_grown(~mark)
    free = _grown(mark, corners=True) & region
    least = SOFT_LENGTH * length * edges.steps.shape[1]
    outline = Outline.of(edges, free & ~inside)

    def fitted(level: float, n: int) -> tuple[Tensor, float]:
        return outline.least_edges(torch.where(inside, level, 0.0), level, least, n)

    level = math.log(max(1 - (guess if opacity is None else opacity), STEP))
    width = 0.0 if opacity is not None else FIRST_WIDTH
    energies: dict[float, float] = {}
    while width > LAST_WIDTH:  # one minimum lies near the guess: bracket it, then narrow the bracket
        tried = [min(max(level + width * k, math.log(STEP)), -0.03) for k in (-1, -0.5, 0, 0.5, 1)]
        for each in tried:
            if each not in energies:  # a narrower bracket shares its centre and its ends
                yield Stage(f"opacity, fit {len(energies) + 1}")
                energies[each] = fitted(each, steps)[1]
        best = min(range(5), key=lambda k: energies[tried[k]])
        width /= 2 if best in (1, 2, 3) or tried[best] in (level, math.log(STEP), -0.03) else 1
        level = tried[best]
    soft = 1 - fitted(level, 3 * steps)[0].exp()
    soft = torch.where(soft > TOO_FAINT, soft, 0.0)
    return torch.where(soft >= OPAQUE, 1.0, soft)


@dataclass(frozen=True)
class Outline:
    """The pixels at which the opacity is free, and all steps between pixels that touch one of them.

    Parameters
    ----------
    free : Tensor of shape (n,)
        Flat indices of the free pixels.
    ends : Tensor of shape (2, e)
        Flat indices of both pixels of each step.
    steps, trust : Tensor of shape (M C, e)
        `Edges` there.
    """

    free: Tensor
    ends: Tensor
    steps: Tensor
    trust: Tensor

    @classmethod
    def of(cls, edges: Edges, free: Tensor) -> Outline:
        """Return the outline of the pixels `free`, bool (H, W)."""
        at = torch.arange(free.numel(), device=free.device).reshape(free.shape)
        ends: list[Tensor] = []
        steps: list[Tensor] = []
        trust: list[Tensor] = []
        for axis in (0, 1):
            n = free.shape[axis] - 1
            near, far = (at.narrow(axis, k, n) for k in (0, 1))
            touched = free.narrow(axis, 0, n) | free.narrow(axis, 1, n)
            ends.append(torch.stack([near[touched], far[touched]]))
            for kept, of in ((steps, edges.steps), (trust, edges.trust)):
                kept.append(of[axis].flatten(0, 1).narrow(axis + 1, 0, n)[:, touched])
        return cls(at[free], *(torch.cat(parts, dim=1) for parts in (ends, steps, trust)))

    def least_edges(self, fixed: Tensor, low: float, length: float, steps: int) -> tuple[Tensor, float]:
        """Minimise ``sum trust |g − ∇L| + length |∇L|`` over low <= L <= 0 at the free pixels.

        Parameters
        ----------
        fixed : Tensor of shape (H, W)
            L elsewhere.
        low : float
            Also where L begins.
        length : float
            Cost of an outline's length.
        steps : int
            Of the primal-dual method.

        Returns
        -------
        level : Tensor of shape (H, W)
        energy : float
            Of the steps at the outline.
        """
        g, bound = self.steps, self.trust
        down = 0.02
        up = 1 / (8 * (len(g) + 1) * down)
        level = fixed.flatten().clone()
        level[self.free] = low
        ahead, (near, far) = level.clone(), self.ends
        dual, outline, push = torch.zeros_like(g), torch.zeros_like(g[0]), torch.zeros_like(level)
        for _ in range(steps):
            change = ahead[far] - ahead[near]
            dual.add_(g - change, alpha=up)
            torch.clamp(dual, -bound, bound, out=dual)
            outline = (outline - up * change).clamp(-length, length)
            flow = dual.sum(dim=0) + outline
            push.zero_().index_add_(0, near, flow).index_add_(0, far, flow, alpha=-1)
            before = level[self.free]
            moved = (before - down * push[self.free]).clamp(low, 0)
            ahead[self.free], level[self.free] = 2 * moved - before, moved
        change = level[far] - level[near]
        energy = ((g - change).abs() * bound).sum() + length * change.abs().sum()
        return level.reshape(fixed.shape), float(energy)


def mark_colour(images: Tensor, opacity: Tensor) -> tuple[Tensor, float]:
    """Estimate the mark's colour and opacity from pixels inside and the nearest pixels outside.

    Parameters
    ----------
    images : Tensor of shape (M, C, H, W)
        Images with the mark.
    opacity : Tensor of shape (H, W)
        Current a. Pixels within 5 % of the largest value are inside, pixels with 0 are outside.

    Returns
    -------
    colour : Tensor of shape (C,)
        W, clipped to [0, 1].
    opacity : float
        Opacity a inside the mark.

    Notes
    -----
    The model is ``I_in = (1 − a) I_out + a W + noise``; without the mark, images vary equally inside and
    outside. The slope is the ratio of standard deviations (reduced major axis), because noise would bias the
    coefficient of a regression. Outliers get the weight ``1 / (1 + (r / s)²)``, with s the median residual.
    """
    inside = opacity > 0.95 * opacity.max()
    rows, columns = (
        torch.from_numpy(at).to(images.device)[inside] for at in nearest_valid((opacity > 0).cpu().numpy())
    )
    inner, outer = images[..., inside].double(), images[..., rows, columns].double()  # (M, C, n)
    weight = torch.ones_like(inner)
    for _ in range(20):
        total = weight.sum(dim=(0, 2), keepdim=True)
        mean_in, mean_out = ((weight * x).sum(dim=(0, 2), keepdim=True) / total for x in (inner, outer))
        spread = [(weight * (x - m) ** 2).sum() for x, m in ((inner, mean_in), (outer, mean_out))]
        slope = (spread[0] / spread[1].clamp_min(1e-12)).sqrt().clamp(1 - OPAQUE, 0.98)
        rest = (inner - mean_in) / slope - (outer - mean_out)
        weight = 1 / (1 + (rest / rest.abs().median().clamp_min(STEP)) ** 2)
        weight = weight.mean(dim=1, keepdim=True).expand_as(inner)
    colour = (mean_in - slope * mean_out) / (1 - slope)
    return colour.flatten().clamp(0, 1).to(images), 1 - float(slope)


def remove_mark(
    images: Tensor, opacity: Tensor, colour: Tensor, *, keep_outline: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Remove a mark: solve ``I = (1 − a) C + a W`` for C.

    Parameters
    ----------
    images : Tensor of shape (M, C, H, W)
        Images with the mark.
    opacity : Tensor of shape (H, W)
        a.
    colour : Tensor of shape (C,)
        W.
    keep_outline : bool
        False marks the soft outline as hidden, which suits images with lossy compression. The outline of an
        opaque mark on a single image always counts as hidden, because nothing else shows its extent.

    Returns
    -------
    clean : Tensor of shape (M, C, H, W)
        C, equal to `images` where a = 0.
    hidden : Tensor of shape (1, 1, H, W)
        bool, True where `clean` is meaningless: the mark is opaque, or nearly opaque on its soft outline.
    opacity : Tensor of shape (H, W)
        Refined a, where the mark is opaque.
    """
    opaque = bool(opacity.max() >= OPAQUE)
    if opaque:
        opacity = opaque_outline(images, opacity, colour)
        keep_outline = keep_outline and len(images) > 1
    below = (images - opacity * colour[:, None, None]) / (1 - opacity).clamp_min(1 - OPAQUE)
    clean = torch.where(opacity > 0, below.clamp(0, 1), images)
    doubtful = (FAINT if opaque else DOUBTFUL) if keep_outline else 0.0
    hidden = (opacity > doubtful) & ((opacity < 0.98 * opacity.max()) | (opacity >= OPAQUE))
    return clean, hidden[None, None], opacity


def opaque_outline(images: Tensor, opacity: Tensor, colour: Tensor) -> Tensor:
    """Estimate the opacity (H, W) along the outline of an opaque mark, where logarithms are unreliable.

    ``a = <I − C, W − C> / ‖W − C‖²`` over images and channels; C is the surface of least curvature through
    the surrounding pixels.
    """
    around = smooth_fill(images, (opacity > 0)[None, None], tolerance=1e-2)
    ahead, found = colour[:, None, None] - around, images - around
    part = (found * ahead).sum(dim=(0, 1)) / (ahead * ahead).sum(dim=(0, 1)).clamp_min(0.02)
    same = (images - colour[:, None, None]).abs().amax(dim=(0, 1)) <= 2.5 * STEP
    part = torch.where(same, 1.0, part.clamp(0, 1)) * (opacity > 0)
    return torch.where(part > UNSEEN, part, 0.0)


def _grown(mark: Tensor, *, corners: bool = False) -> Tensor:
    """Dilate a mask (H, W) by 1 pixel along rows and columns, or also diagonally; outside counts as False."""
    planes = mark[None, None].float()
    if corners:
        return F.max_pool2d(planes, 3, 1, 1)[0, 0] > 0
    tall = F.max_pool2d(planes, (3, 1), 1, (1, 0))
    wide = F.max_pool2d(planes, (1, 3), 1, (0, 1))
    return torch.maximum(tall, wide)[0, 0] > 0
