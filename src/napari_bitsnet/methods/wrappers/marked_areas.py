"""Areas that a person gives to a source: their edges move there, and nothing else changes."""

from __future__ import annotations

from torch import Tensor

from napari_bitsnet.core.operators.gradient import gradient
from napari_bitsnet.core.operators.poisson import Poisson


def give_marked(sources: Tensor, hints: Tensor) -> Tensor:
    """Return shares of which the named source has all edges where hints name it, and the others none.

    Parameters
    ----------
    sources : Tensor of shape (K, C, H, W)
        Shares of one observation.
    hints : Tensor of shape (K, 1, H, W)
        1 where something belongs to source k, else 0; where several are named they share evenly.

    Returns
    -------
    Tensor of shape (K, C, H, W)
        With the same sum. Outside the marked pixels the mean of each source stays.

    Notes
    -----
    With m the marked pixels and ``w_k = h_k / sum_j h_j`` there, ``y_k + d_k`` where
    ``d_k = argmin ||∇d_k − m (w_k ∇ sum_j y_j − ∇y_k)||²``. Since the w_k add to one, the d_k add to zero.
    """
    marked = hints.sum(dim=0, keepdim=True)
    inside = (marked > 0).to(sources)
    part = hints / marked.clamp_min(1e-6)
    steps = gradient(sources)
    change = inside * (part * steps.sum(dim=1, keepdim=True) - steps)
    moved = Poisson(sources.shape[-2], sources.shape[-1], sources).integrate(change)
    outside = 1 - inside
    level = (moved * outside).sum(dim=(-2, -1), keepdim=True) / outside.sum().clamp_min(1)
    return sources + moved - level
