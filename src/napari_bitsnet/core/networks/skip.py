"""Hourglass network with skip connections of Deep Image Prior: a generator of natural-looking images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SkipNetwork(nn.Module):
    """Map an input (noise or a guide) to an image.

    Each scale halves the image with a strided convolution, refines it with a second one, and passes its input
    to the decoder through a 1 x 1 "skip" convolution. The decoder joins the skip with the upsampled coarser
    result, and applies a k x k and a 1 x 1 convolution. A last 1 x 1 convolution makes the image.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input and of the image.
    channels : sequence of int
        Width of each scale, finest first, the same for encoder and decoder; its length is the number of
        scales.
    skip_channels : sequence of int
        Width of each scale's skip connection; 0 for none.
    kernel_size : int
        Side of the square kernels, odd; padding is by reflection.
    slope : float
        Slope of the leaky rectifiers for negative values.
    normalisation : str
        ``"batch"`` (statistics of the current image, also after training) or ``"none"``.
    upsampling : str
        ``"bilinear"`` (corners aligned) or ``"nearest"``.
    output : str
        ``"sigmoid"`` for images in [0, 1], ``"linear"`` for corrections.

    Raises
    ------
    ValueError
        If the numbers of scales differ, or the kernel's side is even.

    Notes
    -----
    With the default sizes the network has 1 544 987 parameters and needs 2.63 GMAC at 384 x 384 pixels, as in
    the released BITS-Net and Double-DIP code. Height and width are arbitrary: the input is padded at the
    bottom and right to a multiple of 2**scales, and the output is cropped.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky, "Deep Image Prior", CVPR 2018, doi:10.1109/CVPR.2018.00984.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        channels: Sequence[int] = (8, 16, 32, 64, 128),
        skip_channels: Sequence[int] = (0, 0, 0, 4, 4),
        kernel_size: int = 5,
        slope: float = 0.2,
        normalisation: Literal["batch", "none"] = "batch",
        upsampling: Literal["bilinear", "nearest"] = "bilinear",
        output: Literal["sigmoid", "linear"] = "sigmoid",
    ) -> None:
        super().__init__()
        if len(channels) != len(skip_channels):
            raise ValueError(
                "Expected one number of skip channels for each scale, got "
                f"{len(skip_channels)} for {len(channels)} scales."
            )
        if kernel_size % 2 == 0:
            raise ValueError(f"Expected an odd kernel size, got {kernel_size}.")
        self.upsampling, self.output = upsampling, output
        self.n_scales = len(channels)

        def norm(width: int) -> nn.Module:
            return (
                nn.BatchNorm2d(width, track_running_stats=False)
                if normalisation == "batch"
                else nn.Identity()
            )

        def block(width_in: int, width_out: int, side: int, stride: int = 1) -> nn.Sequential:
            conv = _MirrorConv(width_in, width_out, side, stride)
            return nn.Sequential(conv, norm(width_out), nn.LeakyReLU(slope, inplace=True))

        self.encoders, self.skips = nn.ModuleList(), nn.ModuleList()
        self.joins, self.decoders = nn.ModuleList(), nn.ModuleList()
        above = in_channels
        for scale, (width, skip) in enumerate(zip(channels, skip_channels, strict=True)):
            self.encoders.append(
                nn.Sequential(block(above, width, kernel_size, 2), block(width, width, kernel_size))
            )
            self.skips.append(block(above, skip, 1) if skip else nn.Identity())
            below = channels[min(scale + 1, self.n_scales - 1)]
            self.joins.append(norm(skip + below))
            self.decoders.append(
                nn.Sequential(block(skip + below, width, kernel_size), block(width, width, 1))
            )
            above = width
        self.has_skip = [bool(skip) for skip in skip_channels]
        self.head = _MirrorConv(channels[0], out_channels, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the image and the decoder's feature maps.

        Parameters
        ----------
        image : Tensor of shape (N, in_channels, H, W)
            Noise or a guide.

        Returns
        -------
        output : Tensor of shape (N, out_channels, H, W)
        features : list of Tensor of shape (N, channels[s], ceil(H / 2**s), ceil(W / 2**s))
            The output of each scale's decoder, finest first: ``features[0]`` is the second-to-last feature
            map of the paper, from which the last 1 x 1 convolution makes the image.
        """
        height, width = image.shape[-2:]
        x = _pad_to_multiple(image, 2**self.n_scales)
        levels = [x]
        for encoder in self.encoders:
            levels.append(encoder(levels[-1]))
        x = levels.pop()
        features = []
        for scale in reversed(range(self.n_scales)):
            x = self._double(x)
            if self.has_skip[scale]:
                x = torch.cat([self.skips[scale](levels[scale]), x], dim=1)
            x = self.decoders[scale](self.joins[scale](x))
            features.append(x[..., : -(-height // 2**scale), : -(-width // 2**scale)])
        output = self.head(features[-1])
        return torch.sigmoid(output) if self.output == "sigmoid" else output, features[::-1]

    def _double(self, x: Tensor) -> Tensor:
        corners = True if self.upsampling == "bilinear" else None
        return F.interpolate(x, scale_factor=2, mode=self.upsampling, align_corners=corners)


def initialise(network: nn.Module, rng: torch.Generator) -> None:
    """Draw a network's convolutions from `rng` (on the CPU), with PyTorch's own distribution.

    Seeds are passed in rather than set globally, so that runs in other threads do not disturb each other.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=rng)
            if layer.bias is not None:
                bound = 1 / math.sqrt(layer.weight[0].numel())
                nn.init.uniform_(layer.bias, -bound, bound, generator=rng)


class _MirrorConv(nn.Conv2d):
    """Convolution padded by reflection, or by repeating the edge if a map is too small for reflection."""

    def __init__(self, width_in: int, width_out: int, side: int, stride: int = 1) -> None:
        super().__init__(width_in, width_out, side, stride)
        self.margin = side // 2

    def forward(self, x: Tensor) -> Tensor:
        if self.margin:
            return super().forward(_extend(x, (self.margin,) * 4))
        if self.stride == (1, 1) and x.stride(1) == 1:  # channels last
            # a matrix product, which is faster on a CPU than a 1 x 1 convolution
            pixels = F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)
            return pixels.permute(0, 3, 1, 2)
        return super().forward(x)


def _extend(x: Tensor, margins: tuple[int, int, int, int]) -> Tensor:
    """Pad by (left, right, top, bottom) pixels."""
    fits = max(margins[:2]) < x.shape[-1] and max(margins[2:]) < x.shape[-2]
    return F.pad(x, margins, mode="reflect" if fits else "replicate")


def _pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Pad to a multiple, at least twice it: batch statistics need more than one pixel."""
    height, width = x.shape[-2:]
    bottom = max(-height % multiple, 2 * multiple - height)
    right = max(-width % multiple, 2 * multiple - width)
    return _extend(x, (0, right, 0, bottom)) if bottom or right else x
