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
        flat, rate = colours.flatten(1), self.width**-2
        # |x|² is the same for all n
        offsets = self.centres.square().sum(dim=1, keepdim=True) * (-rate / 2)
        shares = torch.softmax(torch.addmm(offsets, self.centres, flat, alpha=rate), dim=0)
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
    colours = image[0].flatten(1)[:, picked].T.cpu()  # (S, C)
    centres = _some_colours(colours, count, generator)
    summed = torch.cat([colours, torch.ones_like(colours[:, :1])], dim=1)  # with a column that counts
    for _ in range(ROUNDS):
        distances = torch.addmm(centres.square().sum(dim=1) / 2, colours, centres.T, alpha=-1)
        totals = summed.new_zeros(len(centres), summed.shape[1])
        totals.index_add_(0, distances.argmin(dim=1), summed)
        number = totals[:, -1:]
        centres = torch.where(number > 0, totals[:, :-1] / number.clamp(min=1), centres)
    return centres.to(image.device)


def _some_colours(colours: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` of the distinct colours (S, C) in 256 steps a channel, or all if they are fewer, at
    random."""
    tickets = torch.rand(colours.shape[1], 256, generator=generator, dtype=torch.float64)
    steps = (255 * colours).round()
    channels = torch.arange(colours.shape[1])
    numbers = tickets[channels, steps.long().clamp(0, 255)].sum(dim=1) % 1  # alike for equal colours
    numbers, order = numbers.sort()
    first = torch.cat([torch.ones(1, dtype=torch.bool), numbers.diff() > 0])
    return steps[order[first][:count]] / 255
