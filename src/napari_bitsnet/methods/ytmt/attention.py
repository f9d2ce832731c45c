"""Attention to pixels and to channels, for each stream by itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REDUCTION = 8
"""Channels over those inside the attention, as in the paper's code."""


class Attention(nn.Module):
    """Weight each pixel and then each channel of every stream.

    Parameters
    ----------
    streams, channels : int
        Number of streams, and the channels of each.

    Notes
    -----
    ``x <- 2 s(f(x)) x`` with one factor for each pixel, then ``x <- 2 s(g(mean x)) x`` with one for each
    channel; s is the logistic function, f and g two 1 x 1 convolutions with a ReLU between them. Departure
    from the paper's code: the factor 2, and the last convolutions begin at zero, so that the attention begins
    as the identity and no signal is lost.
    """

    def __init__(self, streams: int, channels: int) -> None:
        super().__init__()
        self.streams = streams
        inner = max(channels // REDUCTION, 4) * streams

        def gate(answers: int) -> nn.Sequential:
            first = nn.Conv2d(streams * channels, inner, 1, groups=streams)
            last = nn.Conv2d(inner, streams * answers, 1, groups=streams)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]
            return nn.Sequential(first, nn.ReLU(), last)

        self.pixels, self.channels = gate(1), gate(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the streams (N, K C, H, W) with their weights applied."""
        each = 2 * torch.sigmoid(self.pixels(x))
        x = (x.unflatten(1, (self.streams, -1)) * each[:, :, None]).flatten(1, 2)
        return x * (2 * torch.sigmoid(self.channels(F.adaptive_avg_pool2d(x, 1))))
