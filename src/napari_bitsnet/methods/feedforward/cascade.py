"""Two networks that tell two superimposed images apart, coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_bitsnet.core.networks.efficientnet import EfficientNetLite
from napari_bitsnet.core.networks.unet import UNet

SEEN_SIZE = 128
"""Side of the mixture that the coarse network looks at, pixels."""

COARSE_SIZE = 64
"""Side of its answer, pixels."""


class Coarse(nn.Module):
    """Look at a whole mixture at 128 x 128 pixels and answer ``d = y1 - y2`` at 64 x 64.

    A U-Net, with the features of a network for photographs joining on its way down: what belongs together is a question
    of what is seen.

    Parameters
    ----------
    widths : sequence of int
        Channels of the U-Net's levels, at 32, 16, 8 and 4 pixels.
    trunk : dict, optional
        Arguments of `EfficientNetLite`; None leaves it out.
    """

    def __init__(self, *, widths: Sequence[int], trunk: dict[str, Any] | None) -> None:
        super().__init__()
        self.trunk = None if trunk is None else EfficientNetLite(**trunk)
        side = [] if self.trunk is None else self.trunk.channels[: len(widths)]
        self.unet = UNet(5, 3, widths=widths, stem=4, head=2, side=side)

    def forward(self, mixture: Tensor, hints: Tensor) -> Tensor:
        """Return d (N, 3, 64, 64) from mixture (N, 3, 128, 128) and scribbles (N, 2, 128, 128)."""
        features = [] if self.trunk is None else self.trunk(mixture)
        seen = torch.cat([mixture - 0.5, hints], dim=1)
        return self.unet(seen, features[: len(self.unet.down)]).float()


class Cascade(nn.Module):
    """Predict ``d = y1 - y2`` of a mixture ``I = y1 + y2``.

    `coarse` sees the whole picture and decides what belongs together; `fine` doubles the resolution of its answer,
    again and again with the same weights, where the sign is settled already.

    Parameters
    ----------
    coarse_widths, fine_widths : sequence of int
        Channels of the levels of each U-Net.
    trunk : dict, optional
        See `Coarse`.

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
        self,
        *,
        coarse_widths: Sequence[int] = (64, 128, 160, 192),
        fine_widths: Sequence[int] = (32, 64, 96),
        trunk: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.widths = {"coarse_widths": list(coarse_widths), "fine_widths": list(fine_widths), "trunk": trunk}
        self.trained_levels = 0
        self.coarse = Coarse(widths=coarse_widths, trunk=trunk)
        self.fine = UNet(8, 3, widths=fine_widths, silent=True)

    def start(self, mixture: Tensor, hints: Tensor) -> Tensor:
        """Return d (N, 3, 64, 64) from mixture (N, 3, 128, 128) and scribbles (N, 2, 128, 128)."""
        return self.coarse(mixture, hints)

    def refine(self, mixture: Tensor, hints: Tensor, difference: Tensor) -> Tensor:
        """Return d (N, 3, S, S), better, from mixture (N, 3, S, S), scribbles (N, 2, S, S) and d so far."""
        correction = self.fine(torch.cat([mixture - 0.5, hints, difference], dim=1))
        return difference + correction.float()

    def forward(self, mixture: Tensor, hints: Tensor, *, levels: int = 0) -> Tensor:
        """Return d (N, 3, S, S), S = 64 * 2**levels, from mixture (N, 3, T, T) and scribbles (N, 2, T, T), T >= S, 128."""
        difference = self.start(reduce_image(mixture, SEEN_SIZE), reduce_hints(hints, SEEN_SIZE))
        for level in range(1, levels + 1):
            size = COARSE_SIZE * 2**level
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
