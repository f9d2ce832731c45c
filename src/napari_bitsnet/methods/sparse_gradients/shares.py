"""Find shares with sparse gradients, given a rough attribution of the gradients to the sources."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.operators.conjugate_gradients import conjugate_gradients
from napari_bitsnet.core.operators.gradient import divergence, gradient
from napari_bitsnet.core.operators.poisson import Poisson


def sparse_energy(
    shares: Tensor, prices: Tensor, *, power: float, softness: float, curvature: float
) -> Tensor:
    """Return ``sum_k mean_x c_k(x) (ρ(‖∇y_k‖) + curvature ρ(‖∇∇y_k‖))``, ρ(s) = (s² + softness²)^(power/2).

    Parameters
    ----------
    shares : Tensor of shape (K, C, H, W)
        y_k; each norm runs over all channels.
    prices : Tensor of shape (K, 1, H, W)
        c_k, >= 0: cost of an edge of source k at x.

    Returns
    -------
    Tensor of shape ()
        Dimensionless.
    """
    total = shares.new_zeros(())
    for weight, derivative in _derivatives(shares, curvature):
        squares = derivative.square().sum(dim=2, keepdim=True)  # sum over channels
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
    """Run one round of iteratively reweighted least squares for shares with a fixed sum.

    Parameters
    ----------
    shares : Tensor of shape (K, C, H, W)
        y at the start of the round; their sum is the mixture.
    anchor : Tensor of shape (K, C, H, W)
        y0, to which y is held.
    prices : Tensor of shape (K, 1, H, W)
        As in `sparse_energy`.
    poisson : Poisson
        Poisson solver for the images' size, used as preconditioner.
    power, softness, curvature : float
        p in (0, 2], ε > 0 on the [0, 1] scale, weight of second derivatives.
    hold : float
        Weight of the anchor.
    steps : int
        Number of conjugate gradient steps.

    Returns
    -------
    Tensor of shape (K, C, H, W)
        Updated shares, with the same sum as `shares`.

    Notes
    -----
    Minimises ``sum_k sum_x w_k ‖∇y_k‖² + hold ‖y − y0‖²`` over changes that add up to zero over k. The
    weights ``w_k = c_k (‖∇y_k‖² + ε²)^(p/2 − 1)`` come from the start of the round.

    References
    ----------
    Levin & Weiss, "User Assisted Separation of Reflections from a Single Image Using a Sparsity Prior", IEEE
    TPAMI 29(9), 2007, doi:10.1109/TPAMI.2007.1106.
    Departures: the cost of each gradient is graded instead of 1 or 100; the sum is exact; there may be more
    than two sources; channels are joined; the anchor is added.
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

    scale = weights[0].mean(dim=(0, 1), keepdim=True)[0].sqrt()  # one scale for all k keeps the sum
    change = conjugate_gradients(
        pull,
        _balanced(hold * anchor) - pull(shares),
        torch.zeros_like(shares),
        steps=steps,
        tolerance=10 * torch.finfo(shares.dtype).eps,  # below this, the residual is rounding error
        precondition=lambda residual: _balanced(poisson.solve(residual / scale, shift=1e-3) / scale),
    )
    return shares + _balanced(change)


def _balanced(images: Tensor) -> Tensor:
    """Subtract the mean over sources, so that changes add up to zero."""
    return images - images.mean(dim=0, keepdim=True)


def _derivatives(images: Tensor, curvature: float) -> list[tuple[float, Tensor]]:
    """Return first and, if weighted, second derivatives (directions, K, C, H, W) with their weights."""
    found = [(1.0, gradient(images))]
    if curvature:
        found.append((curvature, _curvature(images)))
    return found


def _curvature(images: Tensor) -> Tensor:
    """Return second differences along Y, along X and along both; (K, C, H, W) -> (3, K, C, H, W)."""
    dy, dx = gradient(images)
    return torch.stack([_twice(dy, 0), _twice(dx, 1), gradient(dy)[1]])


def _curvature_adjoint(field: Tensor) -> Tensor:
    """Apply the transpose of `_curvature`."""
    nothing = torch.zeros_like(field[0])
    dy = _twice_adjoint(field[0], 0) - divergence(torch.stack([nothing, field[2]]))
    return -divergence(torch.stack([dy, _twice_adjoint(field[1], 1)]))


def _twice(first: Tensor, axis: int) -> Tensor:
    """Return the second difference along one axis: the divergence of the forward difference."""
    field = torch.zeros_like(torch.stack([first, first]))
    field[axis] = first
    return divergence(field)


def _twice_adjoint(second: Tensor, axis: int) -> Tensor:
    """Apply the transpose of `_twice`."""
    return -gradient(second)[axis]
