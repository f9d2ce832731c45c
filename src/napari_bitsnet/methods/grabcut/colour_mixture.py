"""A mixture of Gaussians over colours, fitted without chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS = 10
"""Rounds of the fit, in which each colour is assigned to the likeliest Gaussian."""
FEWEST = 20
"""Smallest mean number of colours of a Gaussian."""
PRIOR, USUAL = 5, 0.03
"""Number of colours that a Gaussian has in addition, and their standard deviation around its centre: few
colours, as of a short scribble, say little of the spread."""
RIDGE = 1e-4
"""Added to the variances, on the [0, 1] scale: the noise of an image with 8 bits and compression."""


@dataclass(frozen=True)
class ColourMixture:
    """Gaussians over D channels.

    Parameters
    ----------
    weights : Tensor of shape (G,)
        Sum 1.
    means : Tensor of shape (G, D)
        Centres.
    roots : Tensor of shape (G, D, D)
        Lower Cholesky factors of the covariances.
    """

    weights: Tensor
    means: Tensor
    roots: Tensor

    def parts(self, colours: Tensor) -> Tensor:
        """Return the logarithm of weight times density of each Gaussian: (N, G) of colours (N, D)."""
        away = (colours - self.means[:, None]).transpose(1, 2)  # (G, D, N)
        scaled = torch.linalg.solve_triangular(self.roots, away, upper=False)
        spread = self.roots.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
        level = self.weights.log() - spread - 0.5 * colours.shape[1] * math.log(2 * math.pi)
        return (level[:, None] - 0.5 * scaled.square().sum(dim=1)).T

    def log_density(self, colours: Tensor) -> Tensor:
        """Return the logarithm of the density: (N,) of colours (N, D)."""
        return self.parts(colours).logsumexp(dim=1)


def fit_mixture(colours: Tensor, components: int) -> ColourMixture:
    """Fit a mixture to colours (N, D), N >= 1.

    Parameters
    ----------
    colours : Tensor of shape (N, D)
        On the [0, 1] scale.
    components : int
        Largest number of Gaussians; fewer for few or equal colours, at most one for `FEWEST` of them.

    Notes
    -----
    The colours are split in two along the longest axis of the group with the largest variance, until there
    are enough groups (Orchard & Bouman). Then each colour joins the likeliest Gaussian, and the Gaussians are
    computed anew, in turn.

    References
    ----------
    Orchard & Bouman, "Color quantization of images", IEEE Trans. Signal Process. 39(12), 1991,
    doi:10.1109/78.107417.
    """
    group = torch.zeros(len(colours), dtype=torch.long, device=colours.device)
    for new in range(1, min(components, max(1, len(colours) // FEWEST))):
        longest = [_longest_axis(colours[group == k]) for k in range(new)]
        widest = max(range(new), key=lambda k: longest[k][0])
        extent, centre, axis = longest[widest]
        if extent <= 0:
            break
        beyond = ((colours - centre) @ axis > 0) & (group == widest)
        group = torch.where(beyond, new, group)
    fitted = _gaussians(colours, group)
    for _ in range(ROUNDS):
        fitted = _gaussians(colours, fitted.parts(colours).argmax(dim=1))
    return fitted


def _longest_axis(colours: Tensor) -> tuple[float, Tensor, Tensor]:
    """Return the sum of squares along the longest axis of colours (n, D), their centre, and the axis."""
    centre = colours.mean(dim=0)
    values, axes = torch.linalg.eigh((colours - centre).T @ (colours - centre))
    return float(values[-1]), centre, axes[:, -1]


def _gaussians(colours: Tensor, group: Tensor) -> ColourMixture:
    """Return the Gaussians of groups of colours; empty groups vanish."""
    weights, means, roots = [], [], []
    for k in torch.unique(group):
        own = colours[group == k]
        centre = own.mean(dim=0)
        same = torch.eye(own.shape[1], dtype=own.dtype, device=own.device)
        spread = ((own - centre).T @ (own - centre) + PRIOR * USUAL**2 * same) / (
            len(own) + PRIOR
        ) + RIDGE * same
        weights.append(len(own) / len(colours))
        means.append(centre)
        roots.append(torch.linalg.cholesky(spread))
    return ColourMixture(colours.new_tensor(weights), torch.stack(means), torch.stack(roots))
