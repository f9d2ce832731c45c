"""Error of a difference image whose sign nobody can know."""

from __future__ import annotations

import torch
from torch import Tensor


def sign_free_loss(estimate: Tensor, truth: Tensor, known: Tensor | None = None) -> Tensor:
    """How much of ``d = y1 - y2`` is missed, up to its sign, on a logarithmic scale.

    Swapping the two sources turns d into -d, and a mixture does not say which of them is called the first.

    Parameters
    ----------
    estimate, truth : Tensor of shape (N, C, H, W)
        Differences of the two shares, on the mixture's [0, 1] scale.
    known : Tensor of shape (N,), optional
        Where hints say which source is the first, so that the sign counts.

    Returns
    -------
    Tensor of shape (N,)
        Dimensionless; about -4.3 for ± truth, 0 for an answer of its mean alone.

    Notes
    -----
    ``log((e + .01 v + .0005) / (1.01 v + .0005))`` with v the variance of d and
    ``e = min(mean((e - d)**2), mean((e + d)**2))``, the error of its mean counting a tenth. -4.34 times the
    loss is a gain in decibels, so that training goes for what is scored (`core.metrics`): the mean over
    images of a logarithm, in which a brightness that nobody can know counts little.
    """
    dims = (1, 2, 3)
    means, shapes = (_mean(x) for x in (estimate, truth)), (x - _mean(x) for x in (estimate, truth))
    (m_e, m_t), (s_e, s_t) = means, shapes

    def error(sign: int) -> Tensor:
        return (s_e - sign * s_t).square().mean(dims) + 0.1 * (m_e - sign * m_t).square().mean(dims)

    missed = error(1)
    if known is None:
        missed = torch.minimum(missed, error(-1))
    else:
        missed = torch.where(known, missed, torch.minimum(missed, error(-1)))
    variance = s_t.square().mean(dims)
    return torch.log((missed + 0.01 * variance + 0.0005) / (1.01 * variance + 0.0005))


def _mean(image: Tensor) -> Tensor:
    """Mean of each channel, kept as (N, C, 1, 1)."""
    return image.mean(dim=(2, 3), keepdim=True)
