"""Takes a mixture of two apart with trained networks: any size, mirror images averaged, doubts noted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_bitsnet.core.networks.cascade import COARSE_SIZE, Cascade, reduce_hints, reduce_image
from napari_bitsnet.core.solvers.anchored_sparse import anchored_sparse, gradient

MIRRORS: list[list[int]] = [[], [-1], [-2], [-2, -1]]

SHARPEN_SIZE = 64
"""Pixels a side at which edges are moved, at least."""


@dataclass(frozen=True)
class Split:
    """``d = y1 - y2`` (1, C, H, W) and ``confidence`` (1, 1, H, W) in [0, 1]."""

    difference: Tensor
    confidence: Tensor


def cascade_split(
    network: Cascade,
    mixture: Tensor,
    hints: Tensor | None = None,
    *,
    views: int = 4,
    levels: int = 2,
    anchor: float | None = 0.01,
) -> Split:
    """Estimate what distinguishes the two shares of a mixture.

    Parameters
    ----------
    network : Cascade
        Trained.
    mixture : Tensor of shape (1, C, H, W)
        One or three channels, in [0, 1].
    hints : Tensor of shape (2, 1, H, W), optional
        1 where edges belong to the first or the second share.
    views : int
        Mirror images whose answers are averaged, 1 to 4, each with the sign that agrees best with the others.
    levels : int
        Refinements by the network, to ``32 * 2**levels`` pixels a side; the mixture guides the rest of the way.
    anchor : float, optional
        See `anchored_sparse`; None leaves it out.

    Notes
    -----
    Confidence is ``|mean d|^2 / mean |d|^2`` over the mirror images, each averaged over channels and
    neighbours; with one view it is 1 everywhere.
    """
    size = COARSE_SIZE * 2**levels
    working = max(size, SHARPEN_SIZE)
    guide = reduce_image(mixture, working).expand(-1, 3, -1, -1)
    marks = guide.new_zeros(1, 2, *guide.shape[2:])
    if hints is not None:
        marks = reduce_hints(hints.transpose(0, 1), working)

    image, scribbles = reduce_image(guide, size), reduce_hints(marks, size)
    answers = [network(image.flip(m), scribbles.flip(m)).flip(m) for m in MIRRORS[:views]]
    members = torch.stack(answers)  # (V, 1, 3, size, size)
    members = members * agreeing_signs(members).reshape(-1, 1, 1, 1, 1)
    members = members * hint_sign(image, members.mean(dim=0), scribbles)
    confidence = _agreement(members)

    difference = reduce_image(members.mean(dim=0), working)
    if anchor is not None:
        difference = anchored_sparse(guide, difference, marks=marks, anchor=anchor)
    if mixture.shape[1] == 1:
        difference, guide = difference.mean(dim=1, keepdim=True), guide[:, :1]
    enlarged = F.interpolate(confidence, mixture.shape[-2:], mode="bilinear", align_corners=False)
    return Split(guided_upsample(difference, guide, mixture), enlarged)


def agreeing_signs(members: Tensor) -> Tensor:
    """Return 1 or -1 for each of the answers (V, …): signs with which they agree best; the first keeps its own.

    They are the signs of the leading eigenvector of the answers' inner products, which does not depend on the
    answers' order.
    """
    flat = members.flatten(1).double()
    leading = torch.linalg.eigh(flat @ flat.T).eigenvectors[:, -1]
    return torch.where(leading * leading[0] < 0, -1.0, 1.0).to(members)


def hint_sign(mixture: Tensor, difference: Tensor, marks: Tensor) -> Tensor:
    """Return 1 or -1: the sign of d with which marked edges belong to the share that they are said to.

    Parameters
    ----------
    mixture, difference : Tensor of shape (1, C, H, W)
        ``I = y1 + y2`` and ``d = y1 - y2``.
    marks : Tensor of shape (1, 2, H, W)
        1 where edges belong to y1 (first channel) or y2; all zero: the sign stays.

    Notes
    -----
    ``|∇y1|^2 - |∇y2|^2 = ∇I · ∇d`` is to be positive where y1 is marked and negative where y2 is.
    """
    product = (gradient(mixture) * gradient(difference)).sum(dim=(1, 2))
    agreement = (product * (marks[:, 0] - marks[:, 1])).sum()
    return torch.where(agreement < 0, -1.0, 1.0)


def guided_upsample(
    image: Tensor, guide: Tensor, full_guide: Tensor, *, radius: int = 2, eps: float = 1e-3
) -> Tensor:
    """Bring an image to its guide's resolution: ``image = a * guide + b`` in small windows, a and b enlarged.

    Parameters
    ----------
    image, guide : Tensor of shape (N, C, h, w)
        The guide at the image's resolution; each channel is guided by its own.
    full_guide : Tensor of shape (N, C, H, W)
        The guide at the resolution wanted.
    radius : int
        Half side of the windows in pixels of `image`.
    eps : float
        Variance of the guide below which it is not followed.

    References
    ----------
    He & Sun, "Fast Guided Filter", 2015, arXiv:1505.00996.
    """
    if image.shape[-2:] == full_guide.shape[-2:]:
        return image

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(x, [radius] * 4, mode="replicate"), 2 * radius + 1, stride=1)

    mean_image, mean_guide = mean(image), mean(guide)
    a = (mean(image * guide) - mean_image * mean_guide) / (mean(guide**2) - mean_guide**2 + eps)
    b = mean_image - a * mean_guide
    a, b = (
        F.interpolate(mean(x), full_guide.shape[-2:], mode="bilinear", align_corners=False) for x in (a, b)
    )
    return a * full_guide + b


def _agreement(members: Tensor) -> Tensor:
    """``|mean d|^2 / mean |d|^2`` of the members (V, 1, C, H, W), in neighbourhoods; (1, 1, H, W) in [0, 1]."""

    def local(energy: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(energy, [3] * 4, mode="replicate"), 7, stride=1)

    agreed = local(members.mean(dim=0).square().mean(dim=1, keepdim=True))
    total = local(members.square().mean(dim=(0, 2)).unsqueeze(1))
    return (agreed / total.clamp_min(1e-12)).clamp(0, 1)
