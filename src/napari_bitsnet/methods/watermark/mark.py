"""Find a mark of one colour over one image or several: its outline, its opacity and the image below.

With the mark's colour W known, ``W − I = (1 − a)(W − C)``. In logarithms the mark adds ``log(1 − a)``, the
same term to every image and channel, for any content C. The functions below search for this common term in
the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.guided_filter import box_mean
from napari_bitsnet.core.operators.gradient import divergence, gradient
from napari_bitsnet.core.operators.nearest import nearest_valid
from napari_bitsnet.core.patches.sparse_fill import smooth_fill
from napari_bitsnet.core.stages import Stage, Stages

STEP = 1 / 255
"""Resolution of differences to the mark's colour, on the [0, 1] scale; smaller ones are clipped to it."""
TRIED = (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)
"""Opacities that the search for the mark tries."""
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
    edges: Edges, region: Tensor, opacity: float, *, length: float = 1.0, steps: int = 200
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
    step = math.log(1 - opacity)
    g, least = edges.steps, length * edges.steps.shape[1]
    rise = ((g - step).abs() - g.abs()).mul(edges.trust).sum(dim=(1, 2)) + least
    fall = ((g + step).abs() - g.abs()).mul(edges.trust).sum(dim=(1, 2)) + least
    up, down = 10 / 8**0.5, 0.1 / 8**0.5
    allowed, area = region.to(g), AREA * g.shape[1]
    mark, moved, ahead = (torch.zeros_like(allowed) for _ in range(3))
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
    return mark, float(energy)


class Mark(NamedTuple):
    """A mark that was found: its mask (H, W), its energy and its opacity."""

    mask: Tensor
    energy: float
    opacity: float


def finding_best_mark(
    edges: Edges, region: Tensor, *, length: float = 1.0, steps: int = 200
) -> Generator[Mark | None, None, Mark]:
    """Return the best mark of the opacities in `TRIED`; before each of them, the best so far is yielded."""
    best: Mark | None = None
    for opacity in TRIED:
        yield best
        found = Mark(*find_mark(edges, region, opacity, length=length, steps=steps), opacity)
        best = found if best is None or found.energy < best.energy else best
    assert best is not None
    return best


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
    rows, columns = (free.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    place = tuple(slice(max(0, int(at[0]) - 3), int(at[-1]) + 4) for at in (rows, columns))
    near, inner, rim = edges.cropped(*place), inside[place], free[place]
    least = SOFT_LENGTH * length * edges.steps.shape[1]

    def fitted(level: float, n: int) -> tuple[Tensor, float]:
        low, high = (torch.where(where, level, 0.0) for where in (rim, inner))
        return _least_edges(near, low, high, least, n)

    level = math.log(max(1 - (guess if opacity is None else opacity), STEP))
    width = 0.0 if opacity is not None else FIRST_WIDTH
    tries = 0
    while width > LAST_WIDTH:  # one minimum lies near the guess: bracket it, then narrow the bracket
        tried = [min(max(level + width * k, math.log(STEP)), -0.03) for k in (-1, -0.5, 0, 0.5, 1)]
        energies = []
        for each in tried:
            tries += 1
            yield Stage(f"opacity, fit {tries}")
            energies.append(fitted(each, steps)[1])
        best = energies.index(min(energies))
        width /= 2 if best in (1, 2, 3) or tried[best] in (level, math.log(STEP), -0.03) else 1
        level = tried[best]
    soft = torch.zeros_like(edges.steps[0, 0, 0])
    soft[place] = 1 - fitted(level, 3 * steps)[0].exp()
    soft = torch.where(soft > TOO_FAINT, soft, 0.0)
    return torch.where(soft >= OPAQUE, 1.0, soft)


def _least_edges(edges: Edges, low: Tensor, high: Tensor, length: float, steps: int) -> tuple[Tensor, float]:
    """Minimise ``sum trust |g − ∇L| + length |∇L|`` over low <= L <= high; return L (H, W) and its energy."""
    g, bound = edges.steps, edges.trust
    down = 0.02
    up = 1 / (8 * (g.shape[1] * g.shape[2] + 1) * down)
    level = ahead = low
    dual, outline, lowest = torch.zeros_like(g), torch.zeros_like(g[:, 0, 0]), -bound
    for _ in range(steps):
        change = gradient(ahead)
        dual.add_(g, alpha=up).sub_(up * change[:, None, None])
        torch.clamp(dual, lowest, bound, out=dual)
        outline = (outline - up * change).clamp(-length, length)
        push = divergence(dual.sum(dim=(1, 2)) + outline)
        moved = torch.maximum(torch.minimum(level - down * push, high), low)
        ahead, level = 2 * moved - level, moved
    change = gradient(level)
    energy = ((g - change[:, None, None]).abs() * bound).sum() + length * change.abs().sum()
    return level, float(energy)


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
