"""Two U-Nets that tell two superimposed images apart, coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_bitsnet.core.networks.unet import UNet

COARSE_SIZE = 32


class Cascade(nn.Module):
    """Predict ``d = y1 - y2`` of a mixture ``I = y1 + y2``.

    `coarse` sees the whole picture at 32 x 32 pixels and decides what belongs together; `fine` doubles the
    resolution of its answer, again and again with the same weights, where the sign is settled already.

    Parameters
    ----------
    coarse_widths, fine_widths : sequence of int
        Channels of the levels of each U-Net.

    Attributes
    ----------
    trained_levels : int
        Doublings for which `fine` was trained; 0 while it changes nothing.

    Notes
    -----
    Inputs: mixture (3 channels), scribbles (2) and for `fine` the answer so far (3). `fine` starts as no change;
    `coarse` must not start at d = 0, where the sign-free loss has no gradient.
    """

    def __init__(
        self, *, coarse_widths: Sequence[int] = (64, 128, 256), fine_widths: Sequence[int] = (32, 64, 96)
    ) -> None:
        super().__init__()
        self.widths = {"coarse_widths": list(coarse_widths), "fine_widths": list(fine_widths)}
        self.trained_levels = 0
        self.coarse = UNet(5, 3, widths=coarse_widths)
        self.fine = UNet(8, 3, widths=fine_widths, silent=True)

    def start(self, mixture: Tensor, hints: Tensor) -> Tensor:
        """Return d at 32 x 32 from mixture (N, 3, 32, 32) and scribbles (N, 2, 32, 32)."""
        return self.coarse(torch.cat([mixture - 0.5, hints], dim=1)).float()

    def refine(self, mixture: Tensor, hints: Tensor, difference: Tensor) -> Tensor:
        """Return d (N, 3, S, S), better, from mixture (N, 3, S, S), scribbles (N, 2, S, S) and d so far."""
        correction = self.fine(torch.cat([mixture - 0.5, hints, difference], dim=1))
        return difference + correction.float()

    def forward(self, mixture: Tensor, hints: Tensor) -> Tensor:
        """Return d (N, 3, S, S) from mixture (N, 3, S, S) and scribbles (N, 2, S, S); S = 32, 64, 128, …"""
        size = COARSE_SIZE
        difference = self.start(reduce_image(mixture, size), reduce_hints(hints, size))
        while size < mixture.shape[-1]:
            size *= 2
            difference = self.refine(
                reduce_image(mixture, size), reduce_hints(hints, size), double(difference)
            )
        return difference


def double(image: Tensor) -> Tensor:
    """Resize (N, C, H, W) to twice the height and width."""
    return F.interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)


def reduce_image(image: Tensor, size: int) -> Tensor:
    """Resize (N, C, H, W) to (N, C, size, size), each pixel an average; other aspect ratios are squeezed."""
    if tuple(image.shape[-2:]) == (size, size):
        return image
    return F.interpolate(image, (size, size), mode="bilinear", align_corners=False, antialias=True)


def reduce_hints(hints: Tensor, size: int) -> Tensor:
    """Resize marks (N, K, H, W) to (N, K, size, size): a pixel is marked where any of its area was."""
    if tuple(hints.shape[-2:]) == (size, size):
        return hints
    return F.adaptive_max_pool2d(hints, size)
