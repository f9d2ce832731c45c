"""Hint loss: penalise edges of all other sources where a hint names one source."""

from __future__ import annotations

import torch
from torch import Tensor


def hint_loss(sources: Tensor, hints: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbours in each source where hints name another source.

    Parameters
    ----------
    sources : Tensor of shape (K, C, H, W)
        Images on the [0, 1] scale.
    hints : Tensor of shape (K, 1, H, W)
        1 where something belongs to source k, else 0. Where several sources are named, none of them is
        penalised.

    Returns
    -------
    Tensor of shape ()
        Dimensionless, >= 0; 0 without hints.

    Notes
    -----
    ``sum_k mean_{p in others_k} |d y_k(p)|``, d = forward differences. others_k are the pixels that hints
    name for other sources but not for k. This is the term of Levin & Weiss with exponent 1, for every other
    source.

    References
    ----------
    Levin & Weiss, "User Assisted Separation of Reflections from a Single Image Using a Sparsity Prior",
    IEEE TPAMI 29(9), 2007, doi:10.1109/TPAMI.2007.1106.
    """
    others = ((hints.sum(dim=0, keepdim=True) - hints) > 0).to(sources) * (hints == 0)
    terms = []
    for axis in (-1, -2):
        steps = sources.diff(dim=axis).abs()
        weight = others.narrow(axis, 0, others.shape[axis] - 1)
        count = weight.sum() * sources.shape[1]
        terms.append((steps * weight).sum() / count.clamp(min=1))
    return torch.stack(terms).sum()
