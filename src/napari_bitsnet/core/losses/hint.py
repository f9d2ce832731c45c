"""Hints: where a person says that something belongs to one source, the others should have no edges."""

from __future__ import annotations

import torch
from torch import Tensor


def hint_loss(sources: Tensor, hints: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, in each source, where hints name another one.

    Parameters
    ----------
    sources : Tensor of shape (K, C, H, W)
        Images on the [0, 1] scale.
    hints : Tensor of shape (K, 1, H, W)
        1 where something belongs to source k, else 0; where several sources are named, none is penalised
        that is among them.

    Returns
    -------
    Tensor of shape ()
        Dimensionless, >= 0; 0 where no hint is given.

    Notes
    -----
    ``sum_k mean_{p in others_k} |d y_k(p)|``, d = forward differences, with others_k the pixels that hints
    name for other sources but not for k. This is the term of Levin & Weiss with exponent 1, on every other
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
