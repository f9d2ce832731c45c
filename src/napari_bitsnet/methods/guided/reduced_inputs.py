"""Guides and mixture of a fit, no larger than the fit needs them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def reduced_inputs(
    guides: Sequence[Tensor], observation: Tensor, valid: Tensor | None, pixels: int
) -> tuple[list[Tensor], Tensor, Tensor | None]:
    """Return guides, mixture and valid pixels reduced to about a number of pixels; smaller ones as they are.

    Parameters
    ----------
    guides : sequence of Tensor (1, C_g, H, W)
        The guides as they lie on the mixture.
    observation : Tensor of shape (1, C, H, W)
        The mixture.
    valid : Tensor of shape (1, 1, H, W), bool, optional
        Pixels to look at; a reduced one counts if more than half of it does.
    pixels : int
        Height times width.
    """
    height, width = observation.shape[-2:]
    factor = (pixels / (height * width)) ** 0.5
    if factor >= 1:
        return list(guides), observation, valid
    size = (max(2, round(factor * height)), max(2, round(factor * width)))
    return (
        [F.interpolate(guide, size, mode="area") for guide in guides],
        F.interpolate(observation, size, mode="area"),
        None if valid is None else F.interpolate(valid.float(), size, mode="area") > 0.5,
    )
