"""Small U-Net of residual blocks that sees the whole image at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Residual block ``x + conv(act(norm(conv(act(norm(x))))))``; its second convolution starts at zero.

    References
    ----------
    He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016, doi:10.1007/978-3-319-46493-0_38;
    Wu & He, "Group Normalization", ECCV 2018, doi:10.1007/978-3-030-01261-8_1.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(_groups(channels_in), channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(_groups(channels), channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.skip = nn.Identity() if channels_in == channels else nn.Conv2d(channels_in, channels, 1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        return self.skip(x) + self.conv2(F.silu(self.norm2(y)))


class UNet(nn.Module):
    """Encoder and decoder with skip connections, for inputs small enough to be seen whole.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels of the input and the output.
    widths : sequence of int
        Channels at each level, finest first; each level halves height and width.
    blocks : int
        Residual blocks per level, in the encoder and in the decoder.
    stem, head : int
        Pixel-unshuffle and pixel-shuffle factors: the finest level has 1/stem of the input's height and
        width, and the output is head times as large as that level. With head None, output and input have
        equal size.
    side : sequence of int, optional
        Channels of external features that join each level of the encoder, finest first; none by default.
    silent : bool
        True initialises the last layer with zero, so that the output is zero before training.

    Notes
    -----
    Height and width must be multiples of ``stem * 2**(len(widths) - 1)``.

    References
    ----------
    Ronneberger et al., "U-Net", MICCAI 2015, doi:10.1007/978-3-319-24574-4_28.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        widths: Sequence[int] = (64, 128, 192),
        blocks: int = 2,
        stem: int = 2,
        head: int | None = None,
        side: Sequence[int] = (),
        silent: bool = False,
    ) -> None:
        super().__init__()
        self.multiple = stem * 2 ** (len(widths) - 1)
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(stem), nn.Conv2d(channels_in * stem**2, widths[0], 3, padding=1)
        )
        previous = [widths[0], *widths[:-1]]
        joining = side or [0] * len(widths)
        self.down = nn.ModuleList(
            _stage(before + more, width, blocks)
            for before, more, width in zip(previous, joining, widths, strict=True)
        )
        self.up = nn.ModuleList(_stage(below + width, width, blocks) for width, below in pairwise(widths))
        head = stem if head is None else head
        last = nn.Conv2d(widths[0], channels_out * head**2, 3, padding=1)
        if silent:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        else:  # a weak initial output: unlearning a strong wrong one takes the first thousand steps
            last.weight.data.mul_(0.1)
        self.head = nn.Sequential(
            nn.GroupNorm(_groups(widths[0]), widths[0]), nn.SiLU(), last, nn.PixelShuffle(head)
        )

    def forward(self, x: Tensor, side: Sequence[Tensor] = ()) -> Tensor:
        """Map (N, channels_in, H, W) to (N, channels_out, H', W'); `side` holds features for each level."""
        if x.shape[-2] % self.multiple or x.shape[-1] % self.multiple:
            raise ValueError(
                f"Expected height and width in multiples of {self.multiple}, got {tuple(x.shape[-2:])}."
            )
        x = self.stem(x)
        skips = []
        for level, stage in enumerate(self.down):
            x = x if level == 0 else F.avg_pool2d(x, 2)
            x = stage(torch.cat([x, side[level]], dim=1) if side else x)
            skips.append(x)
        x = skips.pop()
        for stage in reversed(self.up):
            x = stage(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), skips.pop()], dim=1))
        return self.head(x)


def _stage(channels_in: int, channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(
        *(ResidualBlock(channels_in if i == 0 else channels, channels) for i in range(blocks))
    )


def _groups(channels: int) -> int:
    """Return a group normalisation with eight channels per group, or one group if 8 does not divide."""
    return channels // 8 if channels % 8 == 0 else 1
