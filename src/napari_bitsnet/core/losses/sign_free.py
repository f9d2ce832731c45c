"""Squared error of a difference image whose sign nobody can know."""

from __future__ import annotations

import torch
from torch import Tensor


def sign_free_loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """Relative squared error of ``d = y1 - y2``, up to its sign.

    Swapping the two sources turns d into -d, and a mixture does not say which of them is called the first.

    Parameters
    ----------
    estimate, truth : Tensor of shape (N, C, H, W)
        Differences of the two shares, on the mixture's [0, 1] scale.

    Returns
    -------
    Tensor of shape (N,)
        Dimensionless; 0 for ± truth, about 1 for the mixture itself (d = 0).

    Notes
    -----
    ``min(mean((e - d)**2), mean((e + d)**2)) / (mean(d**2) + 0.01)``.
    """
    plus = (estimate - truth).square().mean(dim=(1, 2, 3))
    minus = (estimate + truth).square().mean(dim=(1, 2, 3))
    return torch.minimum(plus, minus) / (truth.square().mean(dim=(1, 2, 3)) + 0.01)
