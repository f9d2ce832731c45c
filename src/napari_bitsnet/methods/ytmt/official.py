"""The network of the YTMT authors' own weights (the first version of their code), with VGG-19's features.

It is written from the description of the file's layout. Departures from the paper that the weights bring
along: one convolution a block, attention before the exchange, a first convolution of 3 x 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VGG = [64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool", 512, 512, 512, 512, "pool", 512]
"""VGG-19 up to its fifth level: channels of the convolutions of 3 x 3, each followed by a ReLU."""

TAPS = (1, 3, 5, 9, 13)
"""Number of convolutions after which the features are taken: relu1_1, 2_1, 3_1, 4_1 and 5_1."""

HYPERCOLUMN = (3, 64, 128, 256, 512, 512)
"""Channels of the image and of the taps: 1475 in all."""

WIDTHS = (64, 128, 256, 512, 512)
"""Channels of a stream at each level of the encoder."""


class VGGFeatures(nn.Module):
    """Features of VGG-19 after the first convolution of each level, for RGB images in [0, 1], not normalised
    further."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        before = 3
        for entry in VGG:
            if isinstance(entry, int):
                self.convolutions.append(nn.Conv2d(before, entry, 3, padding=1))
                before = entry

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return five feature maps, each half as fine as the one before."""
        found, number = [], 0
        for entry in VGG:
            if not isinstance(entry, int):
                x = F.max_pool2d(x, 2)
                continue
            x = F.relu(self.convolutions[number](x))
            number += 1
            if number in TAPS:
                found.append(x)
        return found


class Gates(nn.Module):
    """Attention to pixels and then to channels, as the authors' code has it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 8
        self.pixel1, self.pixel2 = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, 1, 1)
        self.channel1, self.channel2 = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features with their weights applied."""
        x = x * torch.sigmoid(self.pixel2(F.relu(self.pixel1(x))))
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.channel2(F.relu(self.channel1(mean))))


class Stream(nn.Module):
    """The layers of one of the two streams."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(sum(HYPERCOLUMN), WIDTHS[0], 3, padding=1)
        self.first_gates = Gates(WIDTHS[0])
        self.down = nn.ModuleList(
            nn.ModuleDict(
                {
                    "mix": nn.Conv2d(2 * before, before, 1),
                    "conv": nn.Conv2d(before, after, 3, padding=1),
                    "gates": Gates(after),
                }
            )
            for before, after in pairwise(WIDTHS)
        )
        links = WIDTHS[-2::-1]
        self.up = nn.ModuleList(
            nn.ModuleDict(
                {
                    "below": nn.Conv2d(2 * link, 2 * link, 1),
                    "side": nn.Conv2d(2 * link, 2 * link, 1),
                    "conv": nn.Conv2d(4 * link, after, 3, padding=1),
                    "gates": Gates(after),
                }
            )
            for link, after in zip(links, (*links[1:], links[-1]), strict=True)
        )
        self.last_mix = nn.Conv2d(2 * WIDTHS[0], 2 * WIDTHS[0], 1)
        self.last = nn.Conv2d(2 * WIDTHS[0], 3, 3, padding=1)

    def begin(self, image: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Return the first convolution of the hypercolumn, level by level.

        A convolution of concatenated maps is the sum of the convolutions of each; the hypercolumn itself, 5.9
        kB a pixel, is never made.
        """
        size = image.shape[-2:]
        bias = self.first.bias
        assert bias is not None
        total = bias[:, None, None]
        parts = self.first.weight.split(list(HYPERCOLUMN), dim=1)
        for kernel, maps in zip(parts, (image, *features), strict=True):
            enlarged = F.interpolate(maps, size, mode="bilinear", align_corners=False)
            total = total + F.conv2d(enlarged, kernel, padding=1)
        return self.first_gates(total)


class OfficialStage(nn.Module):
    """One stage: two streams."""

    def __init__(self) -> None:
        super().__init__()
        self.streams = nn.ModuleList(Stream() for _ in range(2))

    def forward(self, images: Sequence[Tensor], features: Sequence[Sequence[Tensor]]) -> Tensor:
        """Return T and R (N, 2, 3, H, W) from the image that each stream sees, and its features."""
        streams: list[Stream] = list(self.streams)  # type: ignore[arg-type]
        now = [s.begin(image, maps) for s, image, maps in zip(streams, images, features, strict=True)]
        links = [_handed(now)]
        for level in range(len(WIDTHS) - 1):
            now = []
            for stream, seen in zip(streams, links[-1], strict=True):
                part = stream.down[level]
                now.append(part["gates"](part["conv"](F.max_pool2d(part["mix"](seen), 2))))  # type: ignore[index]
            links.append(_handed(now))
        below = links.pop()
        for level in range(len(WIDTHS) - 1):
            sides, now = links.pop(), []
            for stream, seen, side in zip(streams, below, sides, strict=True):
                part = stream.up[level]
                larger = _enlarged(part["below"](seen), side)  # type: ignore[index]
                joined = torch.cat([part["side"](side), larger], dim=1)  # type: ignore[index]
                now.append(part["gates"](part["conv"](joined)))  # type: ignore[index]
            below = _handed(now)
        ends = [torch.sigmoid(s.last(s.last_mix(x))) for s, x in zip(streams, below, strict=True)]
        return torch.stack(ends, dim=1)


class OfficialNetwork(nn.Module):
    """The authors' network of one or two stages, with the VGG-19 that it needs.

    Parameters
    ----------
    stages : int
        1 or 2; the second one sees the answers of the first.
    """

    multiple = 16

    def __init__(self, stages: int) -> None:
        super().__init__()
        self.sizes = {"streams": 2, "channels": 3, "stages": stages, "whole": True, "official": True}
        self.vgg = VGGFeatures()
        self.stages = nn.ModuleList(OfficialStage() for _ in range(stages))

    def forward(self, mixture: Tensor) -> Tensor:
        """Return transmission and reflection (N, 2, 3, H, W) in [0, 1] of a mixture (N, 3, H, W)."""
        images = [mixture, mixture]
        features = self.vgg(mixture)
        both = [features, features]
        for number, stage in enumerate(self.stages):
            if number:
                both = [self.vgg(image) for image in images]
            answer: Tensor = stage(images, both)
            images = [answer[:, 0], answer[:, 1]]
        return answer


def _handed(streams: Sequence[Tensor]) -> list[Tensor]:
    """Return what each stream goes on with: its own positive part and the other's negative part,
    concatenated."""
    kept = [F.relu(x) for x in streams]
    first, second = streams[0] - kept[0], streams[1] - kept[1]
    return [torch.cat([kept[0], second], dim=1), torch.cat([kept[1], first], dim=1)]


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Return twice the size, with the outermost pixels kept in place, and zeros around up to the size of
    `like`."""
    x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
    down, right = like.shape[-2] - x.shape[-2], like.shape[-1] - x.shape[-1]
    return F.pad(x, [right // 2, right - right // 2, down // 2, down - down // 2])
