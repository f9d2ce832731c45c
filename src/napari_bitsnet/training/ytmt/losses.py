"""Losses (3) to (6) of YTMT between estimated and true images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_bitsnet.core.losses.exclusion import exclusion_loss, fitting_scales


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; the defaults are the paper's.

    Parameters
    ----------
    images : sequence of float
        Of the mean squared error of each image: 0.3 for the transmission, 0.9 for the reflection.
    gradient : float
        Of the mean absolute error of the gradients.
    total : float
        Of the mean absolute error of the images' sum.
    exclusion : float
        Of edges that two images share.
    """

    images: Sequence[float] = (0.3, 0.9)
    gradient: float = 0.6
    total: float = 0.2
    exclusion: float = 1.0


def separation_loss(estimates: Tensor, truths: Tensor, weights: LossWeights) -> Tensor:
    """Return the loss of estimates (N, K, C, H, W), shape ().

    Notes
    -----
    ``sum_k w_k mean((e_k - t_k)^2) + w_gradient mean |grad e - grad t| + w_total mean |sum e - sum t| + w_exclusion X(e)``. Departures:
    means instead of sums; the gradient term covers all images, as in the authors' code; the sum is compared with that of the
    truths, which is the mixture where nothing is clipped; X is `exclusion_loss` without its fourth root's weights.
    """
    error = (estimates - truths).square().mean(dim=(0, 2, 3, 4))
    loss = (error * error.new_tensor(weights.images)).sum()
    if weights.gradient:
        for axis in (-1, -2):
            loss = loss + weights.gradient * (estimates.diff(dim=axis) - truths.diff(dim=axis)).abs().mean()
    if weights.total:
        loss = loss + weights.total * (estimates.sum(dim=1) - truths.sum(dim=1)).abs().mean()
    if weights.exclusion:
        terms = []
        scales = fitting_scales(estimates.shape[-2], estimates.shape[-1], 3)
        for j in range(estimates.shape[1]):
            for k in range(j):
                terms.append(exclusion_loss(estimates[:, k], estimates[:, j], n_scales=scales, balanced=True))
        loss = loss + weights.exclusion * torch.stack(terms).mean()
    return loss
