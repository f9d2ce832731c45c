"""Fit the opacity of a mark, inside and along its soft outline."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods.watermark.edges import STEP, Edges

OPAQUE = 0.95
"""Opacity above which the underlying pixel cannot be recovered."""
TOO_FAINT = 0.02
"""Opacities below this count as 0: these pixels are not changed."""
FIRST_WIDTH, LAST_WIDTH = 0.4, 0.008
"""Tolerance of the search for the opacity, in log(1 - a)."""
SOFT_LENGTH = 0.3
"""Cost of a soft outline's length, relative to a sharp outline."""


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


def _grown(mark: Tensor, *, corners: bool = False) -> Tensor:
    """Dilate a mask (H, W) by 1 pixel along rows and columns, or also diagonally; outside counts as False."""
    planes = mark[None, None].float()
    if corners:
        return F.max_pool2d(planes, 3, 1, 1)[0, 0] > 0
    tall = F.max_pool2d(planes, (3, 1), 1, (1, 0))
    wide = F.max_pool2d(planes, (1, 3), 1, (0, 1))
    return torch.maximum(tall, wide)[0, 0] > 0
