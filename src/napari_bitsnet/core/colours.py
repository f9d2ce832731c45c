"""Soft memberships of colours in clusters: features in which any smooth function of colour is linear."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SAMPLE = 8192
"""Number of pixels that find the clusters: more do not move the centres noticeably."""
ROUNDS = 20
"""Rounds of Lloyd's algorithm, after which the centres hardly move."""
NEGLIGIBLE = 1e-6
"""Memberships up to this count as zero: subnormal numbers would take most of the time of products on many
processors."""


@dataclass(frozen=True)
class ColourBasis:
    """Normalised Gaussian radial basis functions around colour centres, and the colour itself.

    Parameters
    ----------
    centres : Tensor of shape (N, C)
        Cluster centres, in [0, 1].
    width : float
        Standard deviation of the Gaussians, on the [0, 1] scale of the channels.
    """

    centres: Tensor
    width: float

    def __len__(self) -> int:
        return self.centres.shape[0] + self.centres.shape[1]

    def memberships(self, colours: Tensor) -> Tensor:
        """Return ``a_n(x) ∝ exp(-|x - c_n|² / (2 width²))``, which add to one: (C, h, w) -> (N, h, w)."""
        flat = colours.flatten(1)
        squared = (self.centres**2).sum(
            1, keepdim=True
        ) - 2 * self.centres @ flat  # |x|² is the same for all n
        shares = torch.softmax(squared / (-2 * self.width**2), dim=0)
        shares = torch.nn.functional.threshold(shares, NEGLIGIBLE, 0.0, inplace=True)
        return shares.view(-1, *colours.shape[1:])

    def __call__(self, colours: Tensor) -> Tensor:
        """Return memberships and colour: (C, h, w) -> (N + C, h, w)."""
        return torch.cat([self.memberships(colours), colours])


def fit_centres(image: Tensor, count: int, *, seed: int) -> Tensor:
    """Find colour centres by k-means.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        In [0, 1].
    count : int
        N, how many; fewer come back where there are fewer different colours.
    seed : int
        Chooses the pixels that are looked at, and the first centres.

    Returns
    -------
    Tensor of shape (N, C)

    Notes
    -----
    The first centres are a random sample of the distinct colours in 256 steps a channel. Every colour has a
    random number of its own, and the smallest are taken: a colour that appears or vanishes by rounding, on
    another processor say, leaves the chance of all others as it was (a random permutation of the list would
    choose all of them anew).
    """
    generator = torch.Generator().manual_seed(seed)
    height, width = image.shape[-2:]
    picked = torch.randint(height * width, (SAMPLE,), generator=generator).to(image.device)
    colours = image[0].flatten(1)[:, picked].T  # (S, C)
    distinct = torch.unique((255 * colours).round(), dim=0)
    centres = distinct[_lottery(distinct, generator).argsort()[:count]] / 255
    for _ in range(ROUNDS):
        nearest = torch.cdist(colours, centres).argmin(dim=1)
        member = torch.nn.functional.one_hot(nearest, len(centres)).to(colours)
        total = member.sum(dim=0)[:, None]
        centres = torch.where(total > 0, member.T @ colours / total.clamp(min=1), centres)
    return centres


def _lottery(colours: Tensor, generator: torch.Generator) -> Tensor:
    """A random number in [0, 1) for each colour (S, C) of whole numbers up to 255: (S,), whatever other
    colours there are."""
    tickets = torch.rand(colours.shape[1], 256, generator=generator, dtype=torch.float64).to(colours.device)
    channels = torch.arange(colours.shape[1], device=colours.device)
    return tickets[channels, colours.long().clamp(0, 255)].sum(dim=1) % 1
