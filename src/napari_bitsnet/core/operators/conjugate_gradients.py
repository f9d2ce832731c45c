"""Preconditioned conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def conjugate_gradients(
    operator: Callable[[Tensor], Tensor],
    residual: Tensor,
    start: Tensor,
    *,
    steps: int,
    tolerance: float = 0.0,
    precondition: Callable[[Tensor], Tensor] = lambda residual: residual,
) -> Tensor:
    """Solve ``A x = b``, with A symmetric and positive definite where it acts.

    Parameters
    ----------
    operator : callable
        Returns A x.
    residual : Tensor
        ``b - A start``, any shape.
    start : Tensor
        Where x begins; the shape of `residual`.
    steps : int
        Most steps.
    tolerance : float
        The solver stops where ``r' P r`` has fallen to this part, squared, of its first value, in [0, 1).
    precondition : callable, optional
        Returns P r for a residual r, P near the inverse of A; symmetric and positive definite too.

    Returns
    -------
    Tensor
        x, of the shape of `start`.

    References
    ----------
    Hestenes & Stiefel, "Methods of conjugate gradients for solving linear systems", J. Res. Natl. Bur. Stand.
    49(6), 1952, doi:10.6028/jres.049.044.
    """
    x = start
    direction = prepared = precondition(residual)
    energy = (residual * prepared).sum()
    enough = float(energy) * tolerance**2
    for _ in range(steps):
        if float(energy) <= enough:  # also where both are 0
            break
        turned = operator(direction)
        length = energy / (direction * turned).sum()
        x, residual = x + length * direction, residual - length * turned
        prepared = precondition(residual)
        before, energy = energy, (residual * prepared).sum()
        direction = prepared + (energy / before) * direction
    return x
