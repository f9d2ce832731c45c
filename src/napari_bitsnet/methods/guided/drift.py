"""Densities that drift: coarse clusters of colour, each times slow waves along the image."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.colours import ColourBasis, fit_centres
from napari_bitsnet.core.displacement import Modes, Window

CLUSTERS, WIDTH, ORDER = 12, 0.12, 3
"""Clusters of colour, their width on the guide's [0, 1] scale, and the order of the cosine modes that they
drift along."""


class Drift:
    """Features of one guide whose sum, weighted, lets the density of a colour change slowly from place to
    place.

    Without them, what drifts is explained by whatever else is smooth: by blurred colours of the wrong side
    where both guides share their coarse layout (sky above ground).

    Parameters
    ----------
    guide : Tensor of shape (1, C, H, W)
        In [0, 1], at any size.
    seed : int
        Seed of the clusters.
    """

    def __init__(self, guide: Tensor, seed: int) -> None:
        self.clusters = ColourBasis(fit_centres(guide, CLUSTERS, seed=seed), WIDTH)

    def __len__(self) -> int:
        return len(self.clusters) * (len(Modes((1, 1), ORDER)) - 1)

    def __call__(self, guide: Tensor, window: Window) -> Tensor:
        """Return features (N, h, w) of a window of a guide (1, C, H, W)."""
        height, width = guide.shape[-2:]
        colours = window.crop(guide)[0]
        modes = Modes((height, width), ORDER).fields(window, colours)[1:]
        return torch.flatten(self.clusters(colours)[:, None] * modes, 0, 1)
