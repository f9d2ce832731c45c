"""Shares whose gradients are sparse, where it is roughly known whose each gradient is."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.operators.conjugate_gradients import conjugate_gradients
from napari_bitsnet.core.operators.gradient import divergence, gradient
from napari_bitsnet.core.operators.poisson import Poisson


def sparse_energy(
    shares: Tensor, prices: Tensor, *, power: float, softness: float, curvature: float
) -> Tensor:
    """``sum_k mean_x c_k(x) (ρ(‖∇y_k‖) + curvature ρ(‖∇∇y_k‖))``, ρ(s) = (s² + softness²)^(power/2).

    Parameters
    ----------
    shares : Tensor of shape (K, C, H, W)
        y_k; norms join all channels, so that they decide together.
    prices : Tensor of shape (K, 1, H, W)
        c_k, >= 0: what it costs that source k has an edge at x.

    Returns
    -------
    Tensor of shape ()
        Dimensionless.
    """
    total = shares.new_zeros(())
    for weight, derivative in _derivatives(shares, curvature):
        squares = derivative.square().sum(dim=2, keepdim=True)  # over channels
        total = total + weight * (prices * (squares + softness**2) ** (power / 2)).mean() * len(shares)
    return total


def reweighted_step(
    shares: Tensor,
    anchor: Tensor,
    prices: Tensor,
    poisson: Poisson,
    *,
    power: float = 0.7,
    softness: float = 0.02,
    curvature: float = 0.0,
    hold: float = 0.01,
    steps: int = 15,
) -> Tensor:
    """One round of iteratively reweighted least squares, for shares that keep their sum.

    Parameters
    ----------
    shares : Tensor of shape (K, C, H, W)
        y, where the round starts; their sum is the mixture.
    anchor : Tensor of shape (K, C, H, W)
        y0, from which y should not go far.
    prices : Tensor of shape (K, 1, H, W)
        As in `sparse_energy`.
    poisson : Poisson
        Of the images' size: the preconditioner.
    power, softness, curvature : float
        p in (0, 2], ε > 0 on the [0, 1] scale, weight of second derivatives.
    hold : float
        Weight of the anchor.
    steps : int
        Of conjugate gradients.

    Returns
    -------
    Tensor of shape (K, C, H, W)
        With the sum that `shares` have.

    Notes
    -----
    Minimises ``sum_k sum_x w_k ‖∇y_k‖² + hold ‖y − y0‖²``, ``w_k = c_k (‖∇y_k‖² + ε²)^(p/2 − 1)`` of the round before,
    over changes that add up to zero over k.

    References
    ----------
    Levin & Weiss, "User Assisted Separation of Reflections from a Single Image Using a Sparsity Prior", IEEE
    TPAMI 29(9), 2007, doi:10.1109/TPAMI.2007.1106. Departures: the price of each gradient is graded instead of
    one or a hundred; the sum is exact; any number of sources; channels joined; an anchor.
    """
    weights = [
        weight * prices * (d.square().sum(dim=2, keepdim=True) + softness**2) ** (power / 2 - 1)
        for weight, d in _derivatives(shares, curvature)
    ]

    def pull(image: Tensor) -> Tensor:
        total = hold * image
        fields = [d for _, d in _derivatives(image, curvature)]
        total = total - divergence(weights[0] * fields[0])
        if curvature:
            total = total + _curvature_adjoint(weights[1] * fields[1])
        return _balanced(total)

    scale = weights[0].mean(dim=(0, 1), keepdim=True)[0].sqrt()  # the same for all k: it keeps balance
    change = conjugate_gradients(
        pull,
        _balanced(hold * anchor) - pull(shares),
        torch.zeros_like(shares),
        steps=steps,
        tolerance=10 * torch.finfo(shares.dtype).eps,  # below, what is left is rounding
        precondition=lambda residual: _balanced(poisson.solve(residual / scale, shift=1e-3) / scale),
    )
    return shares + _balanced(change)


def _balanced(images: Tensor) -> Tensor:
    """Take off the mean over sources, so that changes add up to zero."""
    return images - images.mean(dim=0, keepdim=True)


def _derivatives(images: Tensor, curvature: float) -> list[tuple[float, Tensor]]:
    """First and, if they count, second derivatives (directions, K, C, H, W) with their weights."""
    found = [(1.0, gradient(images))]
    if curvature:
        found.append((curvature, _curvature(images)))
    return found


def _curvature(images: Tensor) -> Tensor:
    """Second differences along Y, along X and along both; (K, C, H, W) -> (3, K, C, H, W)."""
    dy, dx = gradient(images)
    return torch.stack([_twice(dy, 0), _twice(dx, 1), gradient(dy)[1]])


def _curvature_adjoint(field: Tensor) -> Tensor:
    """Transpose of `_curvature`."""
    nothing = torch.zeros_like(field[0])
    dy = _twice_adjoint(field[0], 0) - divergence(torch.stack([nothing, field[2]]))
    return -divergence(torch.stack([dy, _twice_adjoint(field[1], 1)]))


def _twice(first: Tensor, axis: int) -> Tensor:
    """Difference of differences along one direction: the negative transpose of the forward difference."""
    field = torch.zeros_like(torch.stack([first, first]))
    field[axis] = first
    return divergence(field)


def _twice_adjoint(second: Tensor, axis: int) -> Tensor:
    """Transpose of `_twice`."""
    return -gradient(second)[axis]
