"""Guides or sources that look alike: what shows it, what is done, and what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.methods.guided.holdout import COMMON_FROM, ramp
from napari_bitsnet.methods.guided.reduced_inputs import reduced_inputs

if TYPE_CHECKING:
    from torch import Tensor

PIXELS = 2**14
"""Larger images are compared at about this many pixels, for which `WAVES` was chosen."""
WAVES = 4.0, 8.0
"""Standard deviations of the two Gaussians, in pixels, between which waves are compared."""
FROM, FULLY = 0.6, 0.8
"""Correlations at which the sources begin to be drawn together, and are so by `MOST_DRAWN`."""
MOST_DRAWN = 0.8
"""Largest part of the sources' difference that is taken back."""


def resemblance(explained: Tensor, observation: Tensor, valid: Tensor | None = None) -> float:
    """Return the correlation, in coarse waves, of what guides explain and what they leave.

    Parameters
    ----------
    explained, observation : Tensor of shape (1, C, H, W)
        What all guides explain together, and the mixture.
    valid : Tensor of shape (1, 1, H, W), bool, optional
        Pixels to look at.

    Returns
    -------
    float
        -1 to 1. Where the other source is unlike the guided one it is below 0.5 (natural images, retinas and
        simulated panels); two PD images of much the same slice, mixed as T1, have 0.77.
    """
    (small,), mixture, known = reduced_inputs([explained], observation, valid, PIXELS)
    waves = [blur(each, WAVES[0]) - blur(each, WAVES[1]) for each in (small, mixture - small)]
    seen = slice(None) if known is None else known.expand_as(small)
    first, second = (wave[seen].flatten() for wave in waves)
    first, second = first - first.mean(), second - second.mean()
    scale = first.norm() * second.norm()
    return float(first @ second / scale) if scale > 0 else 0.0


def distance_kept(found: float) -> float:
    """Return the part of the sources' difference that is kept at a `resemblance`, 1 - `MOST_DRAWN` to 1."""
    return 1 - MOST_DRAWN * ramp(found, FROM, FULLY)


def drawn_together(sources: Tensor, kept: float) -> Tensor:
    """Return sources (K, C, H, W) at the part `kept` of their distance from their mean; the sum stays."""
    return torch.lerp(sources.mean(dim=0, keepdim=True).expand_as(sources), sources, kept)


def alike_notices(common: float, kept: float) -> list[Notice]:
    """Say that guides show much the same, or that sources look alike.

    Parameters
    ----------
    common : float
        Part of what guides explain that could belong to any source.
    kept : float
        Part of the sources' difference that is kept, see `distance_kept`.
    """
    notices = []
    if common > COMMON_FROM:
        notices.append(
            Notice(
                "guides",
                "{part:.0%} of what the guides explain could belong to any source: they show much the same.",
                "Be careful with structure that both show. The run keeps to functions of colours there.",
                {"part": common},
            )
        )
    if kept < 1:
        notices.append(
            Notice(
                "guides",
                "What the guide leaves resembles what it explains: sources may look alike. They are drawn "
                "together and keep {part:.0%} of their difference.",
                "A guide of the other source tells them apart.",
                {"part": kept},
            )
        )
    return notices
