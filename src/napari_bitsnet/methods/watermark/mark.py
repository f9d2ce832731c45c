"""A mark of one colour over one image or several: where it is, how opaque, and what is below.

With the mark's colour W known, ``W − I = (1 − a)(W − C)``: in logarithms the mark adds ``log(1 − a)``, the same to every
image and channel, whatever is below. What follows looks for that common term among the gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.guided_filter import box_mean
from napari_bitsnet.core.operators.gradient import divergence, gradient
from napari_bitsnet.core.operators.nearest import nearest_valid
from napari_bitsnet.core.patches.sparse_fill import smooth_fill

STEP = 1 / 255
"""Differences to the mark's colour are known to about this, and not smaller."""
TRIED = (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)
"""Opacities that the search for the mark tries."""
OPAQUE = 0.95
"""Nothing of what is below is left from here on."""
DOUBTFUL, FAINT = 0.6, 0.25
"""Along outlines, where the opacity is not well known, little can be said of what is below from here on: of marks that
let something through inside, and of opaque ones."""
AREA = 0.05
"""Price of a pixel of the mark, for each image."""
UNSEEN = 0.05
"""Opacities of an opaque mark's outline that count as none."""
TOO_FAINT = 0.02
"""Opacities below this count as none: nothing is changed there."""
FIRST_WIDTH, LAST_WIDTH = 0.4, 0.008
"""Of the search for the opacity, in log(1 - a)."""
SOFT_LENGTH = 0.3
"""Price of a soft outline's length, relative to a sharp one's."""


@dataclass(frozen=True)
class Edges:
    """Logarithmic gradients of all images, and how much each is trusted.

    Parameters
    ----------
    steps : Tensor of shape (2, M, C, H, W)
        ``∇ log |W − I|``.
    trust : Tensor of the same shape
        Inverse of how large gradients are around, noise included.
    """

    steps: Tensor
    trust: Tensor

    def cropped(self, rows: slice, columns: slice) -> Edges:
        """The same in a window."""
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
        Of the windows over which gradients are averaged for their trust, in pixels.
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
        Of the images.
    region : Tensor of shape (H, W)
        bool, where the mark may be.
    opacity : float
        a, in (0, 1).
    length : float
        Price of an outline's length, for each image.
    steps : int
        Of the solver.

    Returns
    -------
    mark : Tensor of shape (H, W)
        In [0, 1], nearly everywhere one of both.
    energy : float
        Below zero if the mark explains more than it costs.

    Notes
    -----
    ``min_u sum_e sum_mc trust |g − l (∇u)_e| + length |(∇u)_e| + area sum u`` over u in {0, 1}, g the logarithmic
    gradients and ``l = log(1 − a)``, the area's price small enough to decide only where images say nothing: the images are to have as few edges as possible without the mark. Each term of two neighbours is
    submodular (``2|g| <= |g − l| + |g + l|``), so that relaxing u to [0, 1] loses nothing: a minimum cut, found with
    the primal-dual method. Departure from the median of gradients over images: that needs many images, and
    leaves of three what two of them share; one image is enough here.

    References
    ----------
    Dekel, Rubinstein, Liu & Freeman, "On the effectiveness of visible watermarks", CVPR 2017, doi:10.1109/CVPR.2017.726.
    Chambolle & Pock, "A first-order primal-dual algorithm for convex problems", J. Math. Imaging Vis. 40, 2011,
    doi:10.1007/s10851-010-0251-1.
    """
    step = math.log(1 - opacity)
    g, least = edges.steps, length * edges.steps.shape[1]
    rise = ((g - step).abs() - g.abs()).mul(edges.trust).sum(dim=(1, 2)) + least
    fall = ((g + step).abs() - g.abs()).mul(edges.trust).sum(dim=(1, 2)) + least
    up, down = 10 / 8**0.5, 0.1 / 8**0.5
    allowed, area = region.to(g), AREA * g.shape[1]
    mark = ahead = torch.zeros_like(allowed)
    dual = torch.zeros_like(rise)
    for _ in range(steps):
        dual = torch.maximum(torch.minimum(dual + up * gradient(ahead), rise), -fall)
        moved = (mark - down * (area - divergence(dual))).clamp(0, 1) * allowed
        ahead, mark = 2 * moved - mark, moved
    change = gradient(mark)
    energy = (rise * change.clamp_min(0) - fall * change.clamp_max(0)).sum() + area * mark.sum()
    return mark, float(energy)


def best_mark(edges: Edges, region: Tensor, **options: float) -> tuple[Tensor, float, float]:
    """Return the mark (H, W), its energy and its opacity, of the opacities in `TRIED` that explain most."""
    found = [(*find_mark(edges, region, a, **options), a) for a in TRIED]  # type: ignore[arg-type]
    return min(found, key=lambda one: one[1])


def soften_mark(
    edges: Edges,
    mark: Tensor,
    region: Tensor,
    opacity: float | None,
    guess: float,
    *,
    length: float = 1.0,
    steps: int = 150,
) -> Tensor:
    """Fit how opaque the mark is inside, and along its soft outline.

    Parameters
    ----------
    edges : Edges
        Of the images.
    mark : Tensor of shape (H, W)
        bool, where the mark is.
    region : Tensor of shape (H, W)
        bool, where it may be.
    opacity : float, optional
        Inside; None looks for the one that explains most.
    guess : float
        Where to begin looking.
    length, steps
        As in `find_mark`.

    Returns
    -------
    Tensor of shape (H, W)
        a in [0, 1).

    Notes
    -----
    The same energy over ``L = log(1 − a)``, which now takes any value on a rim of one pixel to both sides of the
    outline, log(1 − opacity) inside of it and 0 outside.
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
    while width > LAST_WIDTH:  # the energy has one minimum near the guess: walk there, then close in on it
        tried = [min(max(level + width * k, math.log(STEP)), -0.03) for k in (-1, -0.5, 0, 0.5, 1)]
        best = min(range(5), key=lambda k: fitted(tried[k], steps)[1])
        width /= 2 if best in (1, 2, 3) or tried[best] in (level, math.log(STEP), -0.03) else 1
        level = tried[best]
    soft = torch.zeros_like(edges.steps[0, 0, 0])
    soft[place] = 1 - fitted(level, 3 * steps)[0].exp()
    soft = torch.where(soft > TOO_FAINT, soft, 0.0)
    return torch.where(soft >= OPAQUE, 1.0, soft)


def _least_edges(edges: Edges, low: Tensor, high: Tensor, length: float, steps: int) -> tuple[Tensor, float]:
    """``min_L sum trust |g − ∇L| + length |∇L|`` with low <= L <= high, (H, W), and its energy; primal-dual."""
    g, bound = edges.steps, edges.trust
    down = 0.02
    up = 1 / (8 * (g.shape[1] * g.shape[2] + 1) * down)
    level = ahead = low
    dual, outline = torch.zeros_like(g), torch.zeros_like(g[:, 0, 0])
    for _ in range(steps):
        change = gradient(ahead)
        dual = torch.maximum(torch.minimum(dual + up * (g - change[:, None, None]), bound), -bound)
        outline = (outline - up * change).clamp(-length, length)
        push = divergence(dual.sum(dim=(1, 2)) + outline)
        moved = torch.maximum(torch.minimum(level - down * push, high), low)
        ahead, level = 2 * moved - level, moved
    change = gradient(level)
    energy = ((g - change[:, None, None]).abs() * bound).sum() + length * change.abs().sum()
    return level, float(energy)


def mark_colour(images: Tensor, opacity: Tensor) -> tuple[Tensor, float]:
    """Estimate the mark's colour and opacity from pixels inside and the nearest ones outside.

    Parameters
    ----------
    images : Tensor of shape (M, C, H, W)
        With the mark.
    opacity : Tensor of shape (H, W)
        a so far; inside is where it is within 5 % of its largest, outside where it is 0.

    Returns
    -------
    colour : Tensor of shape (C,)
        W, clipped to [0, 1].
    opacity : float
        a inside.

    Notes
    -----
    ``I_in = (1 − a) I_out + a W + noise``, where images differ as much inside as outside but for the mark: the slope is the
    ratio of standard deviations (the reduced major axis), not the coefficient of a regression, which noise
    would lessen. Pairs that do not fit get the weight ``1 / (1 + (r / s)²)``, s their median residual.
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
    """Undo ``I = (1 − a) C + a W``.

    Parameters
    ----------
    images : Tensor of shape (M, C, H, W)
        With the mark.
    opacity : Tensor of shape (H, W)
        a.
    colour : Tensor of shape (C,)
        W.
    keep_outline : bool
        False counts the soft outline as hidden: compression has spoilt it. So it is under an opaque mark on one image, of which
        nothing else says how far it reaches.

    Returns
    -------
    clean : Tensor of shape (M, C, H, W)
        Unchanged where a = 0.
    hidden : Tensor of shape (1, 1, H, W)
        bool, where `clean` says nothing: the mark is opaque, or nearly so along its soft outline.
    opacity : Tensor of shape (H, W)
        Looked at more closely where the mark is opaque.
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
    """Estimate the opacity (H, W) along the outline of an opaque mark, of which logarithms say little.

    ``a = <I − C, W − C> / ‖W − C‖²`` over images and channels, C the surface of least curvature through the surroundings.
    """
    around = smooth_fill(images, (opacity > 0)[None, None], tolerance=1e-2)
    ahead, found = colour[:, None, None] - around, images - around
    part = (found * ahead).sum(dim=(0, 1)) / (ahead * ahead).sum(dim=(0, 1)).clamp_min(0.02)
    same = (images - colour[:, None, None]).abs().amax(dim=(0, 1)) <= 2.5 * STEP
    part = torch.where(same, 1.0, part.clamp(0, 1)) * (opacity > 0)
    return torch.where(part > UNSEEN, part, 0.0)


def _grown(mark: Tensor, *, corners: bool = False) -> Tensor:
    """Widen a mask (H, W) by a pixel along rows and columns, or also diagonally; outside counts as False."""
    planes = mark[None, None].float()
    if corners:
        return F.max_pool2d(planes, 3, 1, 1)[0, 0] > 0
    tall = F.max_pool2d(planes, (3, 1), 1, (1, 0))
    wide = F.max_pool2d(planes, (1, 3), 1, (0, 1))
    return torch.maximum(tall, wide)[0, 0] > 0
