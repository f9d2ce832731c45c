"""Logarithmic gradients, in which a mark of one colour is the same in all images.

With the mark's colour W known, ``W − I = (1 − a)(W − C)``. In logarithms the mark adds ``log(1 − a)``, the
same term to every image and channel, for any content C.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_bitsnet.core.guided_filter import box_mean
from napari_bitsnet.core.operators.gradient import gradient

STEP = 1 / 255
"""Resolution of differences to the mark's colour, on the [0, 1] scale; smaller ones are clipped to it."""


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
