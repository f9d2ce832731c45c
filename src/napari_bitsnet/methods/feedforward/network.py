"""Network that separates two superimposed images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_bitsnet.core.networks.efficientnet import EfficientNetLite
from napari_bitsnet.core.networks.unet import UNet

SEEN_SIZE = 128
"""Side of the network's input, in pixels."""

ANSWER_SIZE = 64
"""Side of the network's output, in pixels."""


class SplitNetwork(nn.Module):
    """Estimate ``d = y1 - y2`` at 64 x 64 pixels from a whole mixture at 128 x 128 pixels.

    The encoder of a U-Net receives the features of a network for photographs, because the content of the
    photographs shows which edges belong together.

    Parameters
    ----------
    widths : sequence of int
        Channels of the U-Net's levels, at 32, 16, 8 and 4 pixels.
    trunk : dict, optional
        Arguments of `EfficientNetLite`; None omits it.

    Attributes
    ----------
    sizes : dict
        The arguments, for the record beside the weights.

    Notes
    -----
    The initial random weights give d ≠ 0, because the sign-free loss has no gradient at d = 0.
    """

    def __init__(
        self, *, widths: Sequence[int] = (64, 128, 160, 192), trunk: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.sizes = {"widths": list(widths), "trunk": trunk}
        self.trunk = None if trunk is None else EfficientNetLite(**trunk)
        side = [] if self.trunk is None else self.trunk.channels[: len(widths)]
        self.unet = UNet(5, 3, widths=widths, stem=4, head=2, side=side)

    def forward(self, mixture: Tensor, hints: Tensor) -> Tensor:
        """Return d (N, 3, 64, 64) from mixture (N, 3, 128, 128) and scribbles (N, 2, 128, 128)."""
        features = [] if self.trunk is None else self.trunk(mixture)
        seen = torch.cat([mixture - 0.5, hints], dim=1)
        return self.unet(seen, features[: len(self.unet.down)]).float()


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
