"""Error of a difference image whose sign cannot be determined."""

from __future__ import annotations

import torch
from torch import Tensor


def sign_free_loss(estimate: Tensor, truth: Tensor, known: Tensor | None = None) -> Tensor:
    """Return the logarithmic relative error of ``d = y1 - y2``, up to the sign of d.

    Swapping the two sources turns d into -d, and a mixture does not define their order.

    Parameters
    ----------
    estimate, truth : Tensor of shape (N, C, H, W)
        Differences of the two shares, on the mixture's [0, 1] scale.
    known : Tensor of shape (N,), optional
        True where hints define the order of the sources, so that the sign counts.

    Returns
    -------
    Tensor of shape (N,)
        Dimensionless; about -4.3 for ± truth, 0 for a constant image with its mean.

    Notes
    -----
    ``log((e + 0.01 v + 0.0005) / (1.01 v + 0.0005))`` with v the variance of d and
    ``e = min(mean((estimate - d)**2), mean((estimate + d)**2))``, in which the error of the mean has weight
    0.1.
    -4.34 times the loss is a gain in decibels, so training optimises the score (`core.metrics`): the mean
    over images of a logarithm, in which the brightness, which cannot be determined, has little weight.
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
    """Return the mean of each channel, (N, C, 1, 1)."""
    return image.mean(dim=(2, 3), keepdim=True)
