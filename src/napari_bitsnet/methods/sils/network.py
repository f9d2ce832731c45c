"""The networks of SILS: for each kind of image an encoder of the mixture and a decoder to the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUP = 8
"""Channels of a group in the normalisation."""


class Encoder(nn.Module):
    """Five (or so many as `widths`) convolutions of 4 x 4 pixels that each halve height and width.

    Parameters
    ----------
    channels : int
        Of the image.
    widths : sequence of int
        Channels of each level, multiples of 8.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        before = [channels, *widths[:-1]]
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(b, w, 4, stride=2, padding=1), nn.GroupNorm(w // GROUP, w), nn.LeakyReLU(0.2)
            )
            for b, w in zip(before, widths, strict=True)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the features of an image (N, C, H, W), from fine to coarse; the last one is its code."""
        found = []
        for level in self.levels:
            image = level(image)
            found.append(image)
        return found


class Decoder(nn.Module):
    """The mirrored encoder, with a link from each of its levels."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        coarse = list(reversed(widths))
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(w if k == 0 else 2 * w, after, 4, stride=2, padding=1),
                nn.GroupNorm(after // GROUP, after),
                nn.LeakyReLU(0.2),
            )
            for k, (w, after) in enumerate(zip(coarse, [*coarse[1:], coarse[-1]], strict=True))
        )
        self.last = nn.Conv2d(coarse[-1] + channels, channels, 3, padding=1)
        nn.init.normal_(self.last.weight, std=0.01)  # the first images are nearly black, not noise
        nn.init.constant_(self.last.bias, 0.0)  # type: ignore[arg-type]  # it has one

    def forward(self, features: Sequence[Tensor], image: Tensor) -> Tensor:
        """Return the image (N, C, H, W) of features as `Encoder` returns them; `image` is what it saw."""
        decoded = self.levels[0](features[-1])
        for level, link in zip(self.levels[1:], reversed(features[:-1]), strict=True):
            decoded = level(torch.cat([decoded, link], dim=1))
        return self.last(torch.cat([decoded, image], dim=1))


class SILSNetwork(nn.Module):
    """Encoders ``E_k`` and decoders ``G_k``: the k-th image of a mixture x is ``G_k(E_k(x))`` (eq. 2).

    Parameters
    ----------
    kinds : int
        Number of images that are superimposed.
    channels : int
        1 for grey images, 3 for colours.
    widths : sequence of int
        Channels of each level.

    Notes
    -----
    Departures from the paper: group normalisation, which is the same in training and in use, instead of batch
    normalisation; and a link of full resolution to the last layer. Nothing is clamped: densities may be
    negative.

    References
    ----------
    Liu & Lu, "Separate in Latent Space: Unsupervised Single Image Layer Separation", AAAI 2020,
    arXiv:1906.00734.
    """

    def __init__(self, kinds: int, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.channels = channels
        self.sizes = {"kinds": kinds, "channels": channels, "widths": list(widths)}
        self.encoders = nn.ModuleList(Encoder(channels, widths) for _ in range(kinds))
        self.decoders = nn.ModuleList(Decoder(channels, widths) for _ in range(kinds))

    @property
    def multiple(self) -> int:
        """What height and width have to be divisible by."""
        return 2 ** len(self.encoders[0].levels)  # type: ignore[arg-type]

    def forward(self, mixture: Tensor) -> Tensor:
        """Return the images (N, K, C, H, W) of mixtures (N, C, H, W)."""
        return torch.stack(
            [self.decode(k, self.encoders[k](mixture), mixture) for k in range(len(self.encoders))], dim=1
        )

    def decode(self, kind: int, features: Sequence[Tensor], seen: Tensor) -> Tensor:
        """Return the image (N, C, H, W) of a kind from the features of what was seen."""
        image: Tensor = self.decoders[kind](features, seen)
        return image

    def of_any_size(self, kind: int, mixture: Tensor) -> Tensor:
        """Return the image (N, C, H, W) of a kind, of mixtures whose sides need not be divisible by
        `multiple`."""
        height, width = mixture.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        padded = F.pad(mixture, padding, mode="replicate")
        return self.decode(kind, self.encoders[kind](padded), padded)[..., :height, :width]
