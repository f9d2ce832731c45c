"""The exchange of streams: each one receives what the ReLU of the others throws away."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Joining = Literal["concatenation", "sum"]
"""How kept and received parts are joined: the paper's letters C and A."""

Passed = Literal["negative", "positive", "nothing"]
"""What a stream hands over; all but "negative" are the paper's ablations."""


class Exchange(nn.Module):
    """Join the positive part of each stream with the negative parts of the others.

    Parameters
    ----------
    streams : int
        K, number of streams.
    channels : int
        C, channels of each stream.
    joining : str
        ``"concatenation"`` followed by a 1 x 1 convolution, or ``"sum"``.
    passed : str
        ``"negative"`` is the paper's exchange. ``"positive"`` hands over what the stream keeps itself ("ReLU
        both ways"), and with ``"nothing"`` each stream is a network of its own.

    Notes
    -----
    With ``[u]+ = max(u, 0)`` and ``[u]- = u - [u]+`` (equation 1), the next inputs of the streams u and v are
    ``[u]+ (+) [v]-`` and ``[v]+ (+) [u]-`` (equation 2). With the sum, ``u + v`` is kept. Departure for K >
    2, which the paper does not have: a stream receives the mean of the others' negative parts, which for the
    sum still keeps the total.

    References
    ----------
    Hu & Guo, "Trash or Treasure? An Interactive Dual-Stream Strategy for Single Image Reflection Separation",
    NeurIPS 2021, arXiv:2110.10546.
    """

    def __init__(
        self, streams: int, channels: int, joining: Joining = "concatenation", passed: Passed = "negative"
    ) -> None:
        super().__init__()
        self.streams, self.joining, self.passed = streams, joining, passed
        joins = joining == "concatenation" and passed != "nothing"
        self.fuse = _fusion(streams, channels) if joins else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the next inputs of all streams, one after another as in `x` (N, K C, H, W)."""
        kept = F.relu(x)
        if self.passed == "nothing":
            return kept
        handed = (kept if self.passed == "positive" else x - kept).unflatten(1, (self.streams, -1))
        if self.streams == 2:
            received = handed.flip(1)
        else:
            received = (handed.sum(dim=1, keepdim=True) - handed) / (self.streams - 1)
        if self.fuse is None:
            return kept + received.flatten(1, 2)
        both = torch.cat([kept.unflatten(1, (self.streams, -1)), received], dim=2)
        return self.fuse(both.flatten(1, 2))


def _fusion(streams: int, channels: int) -> nn.Conv2d:
    """Return the 1 x 1 convolutions of a concatenation; they begin as a sum and a little noise, so that no
    signal is lost."""
    convolution = nn.Conv2d(2 * streams * channels, streams * channels, 1, groups=streams)
    own = torch.eye(channels).repeat(streams, 2)[:, :, None, None]
    with torch.no_grad():
        convolution.weight.normal_(std=0.1 / channels**0.5).add_(own)
        convolution.bias.zero_()  # type: ignore[union-attr]
    return convolution
