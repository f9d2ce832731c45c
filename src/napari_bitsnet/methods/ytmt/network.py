"""Networks of two or more streams that exchange what they throw away: YTMT-UCS, UAS, UCT and UAT."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_bitsnet.methods.ytmt.attention import Attention
from napari_bitsnet.methods.ytmt.exchange import Exchange, Joining, Passed


class Block(nn.Module):
    """Two convolutions, each followed by the exchange, then attention; for all streams at once."""

    def __init__(self, streams: int, before: int, channels: int, joining: Joining, passed: Passed) -> None:
        super().__init__()
        self.first = _convolution(streams, before, channels, 3)
        self.second = _convolution(streams, channels, channels, 3)
        self.exchanges = nn.ModuleList(Exchange(streams, channels, joining, passed) for _ in range(2))
        self.attention = Attention(streams, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, K before, H, W) to (N, K channels, H, W)."""
        x = self.exchanges[0](self.first(x))
        return self.attention(self.exchanges[1](self.second(x)))


class Stage(nn.Module):
    """One U-shaped network of K streams.

    Parameters
    ----------
    channels_in, channels : int
        Channels of each stream's own input, and of the images.
    streams : int
        K.
    widths : sequence of int
        Channels of a stream at each level, finest first; each level halves height and width.
    stem : int
        The finest level has 1/stem of the input's height and width.
    sides : sequence of (int, int)
        Channels and level of each external feature map (the hypercolumn).
    joining, passed : str
        See `Exchange`.

    Notes
    -----
    Departures from the paper, all for speed: pixels are folded into channels first (`stem`); the hypercolumn
    joins each level at its own resolution by a 1 x 1 convolution instead of being enlarged, concatenated and
    reduced at the first one (1 x 1 convolution and resizing commute); the link to the decoder is that of the
    stream itself, because the exchange at the end of each block has already brought the other stream's part.
    """

    def __init__(
        self,
        channels_in: int,
        *,
        channels: int,
        streams: int,
        widths: Sequence[int],
        stem: int,
        sides: Sequence[tuple[int, int]],
        joining: Joining,
        passed: Passed,
    ) -> None:
        super().__init__()
        self.streams, self.stem = streams, stem
        self.levels = [level for _, level in sides]
        self.entry = _convolution(streams, channels_in * stem**2, widths[0], 1)
        self.sides = nn.ModuleList(_projection(maps, streams * widths[level]) for maps, level in sides)
        befores = [widths[0], *widths[:-1]]
        self.grow = nn.ModuleList(
            _convolution(streams, before, width, 1)
            for before, width in zip(befores[1:], widths[1:], strict=True)
        )
        kinds = (joining, passed)
        self.down = nn.ModuleList(Block(streams, width, width, *kinds) for width in widths)
        self.up = nn.ModuleList(
            Block(streams, below + width, width, *kinds) for width, below in pairwise(widths)
        )
        self.last = _convolution(streams, widths[0], channels * stem**2, 3)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Return what is added to the streams' inputs, (N, K, C, H, W), from their inputs (N, K, C_in, H,
        W)."""
        n, k = x.shape[:2]
        x = self.entry(F.pixel_unshuffle(x.flatten(0, 1), self.stem).unflatten(0, (n, k)).flatten(1, 2))
        links = []
        for level, block in enumerate(self.down):
            if level:
                x = self.grow[level - 1](F.avg_pool2d(x, 2))
            for side, feature, at in zip(self.sides, features, self.levels, strict=True):
                if at == level:
                    x = x + _resized(side(feature), x)
            x = block(x)
            links.append(x)
        x = links.pop()
        for block in reversed(self.up):
            link = links.pop()
            larger = _resized(x, link)
            parts = (part.unflatten(1, (k, -1)) for part in (link, larger))
            x = block(torch.cat(list(parts), dim=2).flatten(1, 2))
        return F.pixel_shuffle(self.last(x).unflatten(1, (k, -1)).flatten(0, 1), self.stem).unflatten(
            0, (n, k)
        )


class YTMTNetwork(nn.Module):
    """Estimate K images of known kinds from their mixture.

    Parameters
    ----------
    streams, channels : int
        K, number of images that are superimposed, and their channels C.
    widths : sequence of int
        Channels of a stream at each level; see `Stage`.
    stem : int
        See `Stage`.
    stages : int
        1, or 2: each stream of the second stage sees its image of the first one beside the mixture.
    joining, passed : str
        See `Exchange`.
    sides : sequence of (int, int)
        Channels and stride, in pixels of the mixture, of the external features.
    whole : bool
        True: the first image is predicted as a change of the mixture and the others as changes of zero
        (transmission and reflections). False: each is predicted as a change of an equal share, and together
        they add up to the mixture.

    Attributes
    ----------
    sizes : dict
        The arguments, for the record beside the weights.
    """

    def __init__(
        self,
        *,
        streams: int = 2,
        channels: int = 3,
        widths: Sequence[int] = (32, 48, 64, 96),
        stem: int = 4,
        stages: int = 1,
        joining: Joining = "concatenation",
        passed: Passed = "negative",
        sides: Sequence[tuple[int, int]] = (),
        whole: bool = True,
    ) -> None:
        super().__init__()
        self.sizes: dict[str, Any] = {
            "streams": streams, "channels": channels, "widths": list(widths), "stem": stem,
            "stages": stages, "joining": joining, "passed": passed,
            "sides": [list(side) for side in sides], "whole": whole,
        }  # fmt: skip
        self.start: Tensor
        self.multiple = stem * 2 ** (len(widths) - 1)
        levels = [(maps, _level(stride, stem, len(widths))) for maps, stride in sides]
        kinds: dict[str, Any] = {"channels": channels, "streams": streams, "widths": widths, "stem": stem}
        kinds |= {"sides": levels, "joining": joining, "passed": passed}
        inputs = [channels, *[2 * channels] * (stages - 1)]
        self.stages = nn.ModuleList(Stage(each, **kinds) for each in inputs)
        shares = torch.full((streams,), 1 / streams)
        self.register_buffer("start", torch.eye(streams)[0] if whole else shares, persistent=False)

    def with_second_stage(self) -> YTMTNetwork:
        """Return a network of two stages: the first is this one's, and the second begins with its weights and
        its answer."""
        network = YTMTNetwork(**{**self.sizes, "stages": 2})
        first = self.stages[0].state_dict()
        network.stages[0].load_state_dict(first)
        # the second stage also sees an image: that part of its entry begins small and random
        wider = network.stages[1].state_dict()["entry.weight"]
        channels = first["entry.weight"].shape[1]
        network.stages[1].load_state_dict({**first, "entry.weight": 0.1 * wider})
        with torch.no_grad():
            cast("Stage", network.stages[1]).entry.weight[:, :channels] = first["entry.weight"]
        return network

    def forward(self, mixture: Tensor, *features: Tensor) -> Tensor:
        """Return the images (N, K, C, H, W) of a mixture (N, C, H, W) and its external features.

        Height and width must be multiples of `multiple`.
        """
        if mixture.shape[-2] % self.multiple or mixture.shape[-1] % self.multiple:
            raise ValueError(
                f"Expected height and width in multiples of {self.multiple}, got {tuple(mixture.shape[-2:])}."
            )
        streams = self.sizes["streams"]
        seen = (mixture - 0.5)[:, None].expand(-1, streams, -1, -1, -1)
        images = start = self.start[:, None, None, None] * mixture[:, None]
        for number, stage in enumerate(self.stages):
            inputs = seen if number == 0 else torch.cat([seen, images.detach()], dim=2)
            images = start + stage(inputs, features)
        if not self.sizes["whole"]:
            images = images + (mixture - images.sum(dim=1))[:, None] / streams
        return images


def _level(stride: int, stem: int, levels: int) -> int:
    """Return the level whose resolution is that of features of a stride, or the nearest."""
    return min(max((stride // stem).bit_length() - 1, 0), levels - 1)


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """Resize (N, C, H, W) to the height and width of another tensor."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def _projection(maps: int, channels: int) -> nn.Conv2d:
    """Return a 1 x 1 convolution of a feature map: the sum over all maps should be about as strong as a
    stream."""
    convolution = nn.Conv2d(maps, channels, 1)
    nn.init.normal_(convolution.weight, std=0.5 / maps**0.5)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution


def _convolution(streams: int, before: int, channels: int, kernel: int) -> nn.Conv2d:
    """Return a convolution of each stream by itself that keeps the variance, as the exchange with a sum
    does."""
    convolution = nn.Conv2d(streams * before, streams * channels, kernel, padding=kernel // 2, groups=streams)
    nn.init.normal_(convolution.weight, std=(before * kernel**2) ** -0.5)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution
