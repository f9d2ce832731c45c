"""Split a mixture of two sources of any size by trained networks, with mirror images and a confidence."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_bitsnet.core.guided_filter import apply_coefficients, box_mean, linear_coefficients
from napari_bitsnet.core.operators.gradient import gradient
from napari_bitsnet.core.stages import telling
from napari_bitsnet.methods.feedforward.multi_crop import follow_windows, window_answers
from napari_bitsnet.methods.feedforward.network import SEEN_SIZE, SplitNetwork, reduce_hints, reduce_image

MIRRORS: list[list[int]] = [[], [-1], [-2], [-2, -1]]
"""Axes along which the views of an image are flipped."""

LOOKS = [192, 256, 384]
"""Sides of the reduced mixture, in pixels, for the closer looks through windows of 128 pixels, in this
order."""


@dataclass(frozen=True)
class Evidence:
    """Intermediate estimates of the networks, from which `other_splits` finds alternatives.

    Parameters
    ----------
    seen : Tensor of shape (1, 3, T, T)
        The mixture.
    whole : Tensor of shape (1, 3, 64, 64)
        d from the whole mixture.
    said : tuple of Tensor of shape (L, 3, 64, 64)
        Estimates for the windows of each closer look.
    """

    seen: Tensor
    whole: Tensor
    said: tuple[Tensor, ...]


@dataclass(frozen=True)
class Looked:
    """Progress of a split: the next step, and the current d (1, 3, S, S) at reduced size, if there is one."""

    next: str
    difference: Tensor | None = None
    seen: Tensor | None = None

    def enlarged(self, mixture: Tensor) -> Tensor | None:
        """Return the current d (1, C, H, W) at full size, or None."""
        if self.difference is None or self.seen is None:
            return None
        guide, difference = reduce_image(self.seen, self.difference.shape[-1]), self.difference
        if mixture.shape[1] == 1:
            difference, guide = difference.mean(dim=1, keepdim=True), guide[:, :1]
        return guided_upsample(difference, guide, mixture)


@dataclass(frozen=True)
class Split:
    """``d = y1 - y2`` (1, C, H, W), ``confidence`` (1, 1, H, W) in [0, 1] and the evidence for them."""

    difference: Tensor
    confidence: Tensor
    evidence: Evidence


def splitting(
    network: SplitNetwork, mixture: Tensor, hints: Tensor | None = None, *, views: int = 4, looks: int = 3
) -> Generator[Looked, None, Split]:
    """Estimate the difference of the two shares of a mixture; yields the current estimate before each look.

    Parameters
    ----------
    network : SplitNetwork
        Trained.
    mixture : Tensor of shape (1, C, H, W)
        One or three channels, in [0, 1].
    hints : Tensor of shape (2, 1, H, W), optional
        1 where edges belong to the first or the second share.
    views : int
        Number of mirror images whose estimates are averaged, 1 to 4, each with the sign that agrees best.
    looks : int
        Number of `LOOKS` that are taken. The estimate is then upsampled with the mixture as guide.

    Notes
    -----
    The confidence is the ratio of the local contrast energies of d and I, that is, the fraction of the
    mixture's contrast that is separated. Networks trained on squared errors give small values where they are
    uncertain, and mirror images that disagree cancel; both lower the confidence. It is 1 where one share
    holds all contrast. It is scaled by the correlation between the estimates before and after the closer
    looks.
    """
    sizes = [SEEN_SIZE, *LOOKS[:looks]]
    seen_size = sizes[-1]
    seen = reduce_image(mixture, seen_size).expand(-1, 3, -1, -1)
    scribbles = seen.new_zeros(1, 2, *seen.shape[2:])
    if hints is not None:
        scribbles = reduce_hints(hints.transpose(0, 1), seen_size)

    mirrors = MIRRORS[:views]
    answers: list[Tensor] = []
    for m in mirrors:
        yield Looked(f"view {len(answers) + 1} of {len(mirrors)}", answers[0] if answers else None, seen)
        whole_image = reduce_image(seen.flip(m), SEEN_SIZE), reduce_hints(scribbles.flip(m), SEEN_SIZE)
        answers.append(network(*whole_image).flip(m))
    members = torch.stack(answers)
    difference = whole = (members * agreeing_signs(members).reshape(-1, 1, 1, 1, 1)).mean(dim=0)
    said = []
    for look, size in enumerate(sizes[1:]):
        name = f"closer look {look + 1} of {len(sizes) - 1}"
        yield Looked(name, difference, seen)
        looking = window_answers(network, reduce_image(seen, size), reduce_hints(scribbles, size))
        said.append((yield from telling(looking, partial(_in_window, name, difference, seen))))
        difference = follow_windows(said[-1], difference, size // 2)[0]
    size = difference.shape[-1]
    guide, marks = reduce_image(seen, size), reduce_hints(scribbles, size)
    difference = difference * hint_sign(guide, difference, marks)
    confidence = _confidence(guide, difference) * _agreement(whole, difference)

    if mixture.shape[1] == 1:
        difference, guide = difference.mean(dim=1, keepdim=True), guide[:, :1]
    enlarged = F.interpolate(confidence, mixture.shape[-2:], mode="bilinear", align_corners=False)
    evidence = Evidence(seen, whole, tuple(said))
    return Split(guided_upsample(difference, guide, mixture), enlarged, evidence)


def _in_window(name: str, difference: Tensor, seen: Tensor, done: tuple[int, int]) -> Looked:
    return Looked(f"{name}, {done[0]} of {done[1]} windows", difference, seen)


def agreeing_signs(members: Tensor) -> Tensor:
    """Return 1 or -1 for each estimate (V, …): the signs with which they agree best; the first is kept.

    They are the signs of the leading eigenvector of the estimates' inner products, which does not depend on
    their order.
    """
    flat = members.flatten(1).double()
    leading = torch.linalg.eigh(flat @ flat.T).eigenvectors[:, -1]
    return torch.where(leading * leading[0] < 0, -1.0, 1.0).to(members)


def hint_sign(mixture: Tensor, difference: Tensor, marks: Tensor) -> Tensor:
    """Return 1 or -1: the sign of d with which edges belong to the share that they are marked as.

    Parameters
    ----------
    mixture, difference : Tensor of shape (1, C, H, W)
        ``I = y1 + y2`` and ``d = y1 - y2``.
    marks : Tensor of shape (1, 2, H, W)
        1 where edges belong to y1 (first channel) or y2; without marks the sign stays.

    Notes
    -----
    ``|∇y1|^2 - |∇y2|^2 = ∇I · ∇d`` should be positive where y1 is marked and negative where y2 is marked.
    """
    product = (gradient(mixture) * gradient(difference)).sum(dim=(0, 2))
    agreement = (product * (marks[:, 0] - marks[:, 1])).sum()
    return torch.where(agreement < 0, -1.0, 1.0)


def guided_upsample(image: Tensor, guide: Tensor, full_guide: Tensor) -> Tensor:
    """Upsample an image (1, Q, h, w) to its guide's full size, as a locally linear function of the guide.

    References
    ----------
    He & Sun, "Fast Guided Filter", 2015, arXiv:1505.00996.
    """
    if image.shape[-2:] == full_guide.shape[-2:]:
        return image
    a, b = linear_coefficients(guide, image, radius=2, epsilon=1e-3)
    size = tuple(full_guide.shape[-2:])
    return apply_coefficients(
        F.interpolate(a, size, mode="bilinear", align_corners=False),
        F.interpolate(b, size, mode="bilinear", align_corners=False),
        full_guide,
    )


def _agreement(whole: Tensor, closer: Tensor) -> Tensor:
    """Return the absolute correlation of d (1, 3, S, S) before and after closer looks."""
    before, after = (
        x - x.mean(dim=(2, 3), keepdim=True) for x in (whole, reduce_image(closer, whole.shape[-1]))
    )
    lengths = before.square().sum().sqrt() * after.square().sum().sqrt()
    return (before * after).sum().abs() / lengths.clamp_min(1e-12)


def _confidence(image: Tensor, difference: Tensor) -> Tensor:
    """Return the contrast energy of d over that of I, in neighbourhoods of a quarter of the side."""
    radius = image.shape[-1] // 8

    def energy(x: Tensor) -> Tensor:
        contrast = (x - x.mean(dim=(2, 3), keepdim=True)).square().mean(dim=1, keepdim=True)
        return box_mean(contrast, radius)

    return (energy(difference) / (energy(image) + 1e-3)).clamp(0, 1)
