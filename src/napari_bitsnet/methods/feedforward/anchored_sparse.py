"""Moves an answer a little, so that edges belong to one source rather than to both."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def anchored_sparse(
    mixture: Tensor,
    difference: Tensor,
    *,
    marks: Tensor | None = None,
    anchor: float = 0.01,
    power: float = 0.7,
    rounds: int = 3,
    steps: int = 25,
) -> Tensor:
    """Refine ``d = y1 - y2`` of a mixture ``I = y1 + y2`` by sparse gradients, anchored at the answer so far.

    Parameters
    ----------
    mixture : Tensor of shape (N, C, H, W)
        On the [0, 1] scale.
    difference : Tensor of shape (N, C, H, W)
        The answer so far, d0.
    marks : Tensor of shape (N, 2, H, W), optional
        1 where edges belong to y1 (first channel) or y2: gradients of the other are a hundred times dearer there.
    anchor : float
        Weight of staying near d0, relative to the gradients' (which are brought to a mean weight of one).
    power : float
        p of |∇y|^p, in (0, 2]; below 1 an edge is cheaper in one source than shared by two.
    rounds, steps : int
        Reweightings, and steps of conjugate gradients in each.

    Returns
    -------
    Tensor of shape (N, C, H, W)

    Notes
    -----
    Minimises ``sum |∇(I + d)|^p + |∇(I - d)|^p + a (d - d0)^2`` by iteratively reweighted least squares:
    ``(D' (w1 + w2) D + a) d = a d0 - D' (w1 - w2) D I`` with ``w = (|∇y|^2 + 1e-3)^(p/2 - 1)``, where |∇y|
    joins all channels and both directions, so that the channels decide together.

    References
    ----------
    Levin & Weiss, "User Assisted Separation of Reflections from a Single Image Using a Sparsity Prior", IEEE
    TPAMI 29(9), 2007, doi:10.1109/TPAMI.2007.1106. Departure: an answer to start from, not marked edges.
    """
    gradient_mixture = gradient(mixture)
    d = difference
    for _ in range(rounds):
        gradient_d = gradient(d)
        w1, w2 = (_weights(gradient_mixture + sign * gradient_d, power) for sign in (1, -1))
        scale = (w1 + w2).mean(dim=(1, 2, 3, 4), keepdim=True)
        w1, w2 = w1 / scale, w2 / scale
        if marks is not None:
            w1 = w1 + 100 * marks[:, None, 1:2]
            w2 = w2 + 100 * marks[:, None, 0:1]
        total = w1 + w2
        target = anchor * difference - _adjoint((w1 - w2) * gradient_mixture)

        def apply(x: Tensor, total: Tensor = total) -> Tensor:
            return _adjoint(total * gradient(x)) + anchor * x

        d = _conjugate_gradients(apply, target, d, steps)
    return d


def gradient(image: Tensor) -> Tensor:
    """Forward differences, zero at the far border; (N, C, H, W) -> (N, 2, C, H, W)."""
    out = image.new_zeros(image.shape[0], 2, *image.shape[1:])
    out[:, 0, :, :-1] = image.diff(dim=-2)
    out[:, 1, :, :, :-1] = image.diff(dim=-1)
    return out


def _adjoint(field: Tensor) -> Tensor:
    """Transpose of `gradient`."""
    dy, dx = field[:, 0, :, :-1], field[:, 1, :, :, :-1]
    out = torch.zeros_like(field[:, 0])
    out[:, :, :-1] -= dy
    out[:, :, 1:] += dy
    out[..., :-1] -= dx
    out[..., 1:] += dx
    return out


def _weights(slopes: Tensor, power: float) -> Tensor:
    """IRLS weights (N, 1, 1, H, W) of gradients (N, 2, C, H, W)."""
    return (slopes.square().sum(dim=(1, 2), keepdim=True) + 1e-3) ** (power / 2 - 1)


def _conjugate_gradients(
    apply: Callable[[Tensor], Tensor], target: Tensor, start: Tensor, steps: int
) -> Tensor:
    """Solve ``apply(x) = target`` for each image of the batch."""
    x, r = start, target - apply(start)
    p, energy = r, r.square().sum(dim=(1, 2, 3), keepdim=True)
    for _ in range(steps):
        q = apply(p)
        step = energy / (p * q).sum(dim=(1, 2, 3), keepdim=True).clamp_min(1e-20)
        x, r = x + step * p, r - step * q
        previous, energy = energy, r.square().sum(dim=(1, 2, 3), keepdim=True)
        p = r + energy / previous.clamp_min(1e-20) * p
    return x
