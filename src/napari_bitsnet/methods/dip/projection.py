"""Project sources onto those that add up to the mixture exactly and stay in their possible range."""

from __future__ import annotations

import torch
from torch import Tensor


def project_shares(
    estimate: Tensor, total: Tensor, lower: Tensor | float = 0.0, upper: Tensor | float = 1.0
) -> Tensor:
    """Project onto ``{y : sum_k y_k = I, lower_k <= y_k <= upper_k}``, pixel by pixel.

    Parameters
    ----------
    estimate : Tensor of shape (K, C, H, W)
        Shares v to project.
    total : Tensor of shape (1, C, H, W)
        I, with ``sum lower <= I <= sum upper``.
    lower, upper : Tensor of shape (K, C, H, W), or float
        Bounds of each share. With 0 and 1 / K (equal parts of images in [0, 1]) the projection implies
        ``max(0, I - (K - 1) / K) <= y_k <= min(I, 1 / K)``.

    Returns
    -------
    Tensor of shape (K, C, H, W)
        Nearest in the Euclidean sense; differentiable in `estimate` wherever the set of shares at a bound
        does not change.

    Notes
    -----
    ``y_k = clip(v_k - tau, lower_k, upper_k)`` with the tau for which they add up to I: the sum falls
    piecewise linearly in tau, with corners at ``v_k - upper_k`` and ``v_k - lower_k``. The corners are
    sorted, the piece that holds I is found, and the shares that are free on it take up the rest evenly. With
    K = 2 that is ``y_1 = clip((I + v_1 - v_2) / 2, max(l_1, I - u_2), min(u_1, I - l_2))``, ``y_2 = I -
    y_1``.

    References
    ----------
    Held, Wolfe & Crowder, "Validation of subgradient optimization", Math. Programming 6, 1974,
    doi:10.1007/BF01580223.
    """
    lower = torch.as_tensor(lower, dtype=estimate.dtype, device=estimate.device).expand_as(estimate)
    upper = torch.as_tensor(upper, dtype=estimate.dtype, device=estimate.device).expand_as(estimate)
    if len(estimate) == 2:
        low = torch.maximum(lower[:1], total - upper[1:])
        high = torch.minimum(upper[:1], total - lower[1:])
        first = torch.minimum(torch.maximum((total + estimate[:1] - estimate[1:]) / 2, low), high)
        return torch.cat([first, total - first])
    with torch.no_grad():
        tau = _balance(estimate, total, lower, upper)
        at_lower, at_upper = estimate - tau <= lower, estimate - tau >= upper
    bound = torch.where(at_lower, lower, upper)
    free = ~(at_lower | at_upper)
    rest = total - torch.where(free, estimate, bound).sum(dim=0, keepdim=True)
    return torch.where(free, estimate + rest / free.sum(dim=0, keepdim=True).clamp(min=1), bound)


def _balance(v: Tensor, total: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Return tau (1, C, H, W) for which ``sum clip(v - tau, lower, upper)`` is `total`."""
    corners = torch.cat([v - upper, v - lower]).sort(dim=0).values  # (2K, C, H, W)
    sums = torch.stack([(v - c).clamp(lower, upper).sum(dim=0) for c in corners])
    # the last corner whose sum is still at least I; the sums fall along the corners
    left = ((sums >= total).sum(dim=0, keepdim=True) - 1).clamp(0, len(corners) - 2)
    tau_left, tau_right = corners.gather(0, left), corners.gather(0, left + 1)
    sum_left, sum_right = sums.gather(0, left), sums.gather(0, left + 1)
    fall = (sum_left - sum_right).clamp(min=torch.finfo(v.dtype).tiny)
    return tau_left + (tau_right - tau_left) * ((sum_left - total) / fall).clamp(0, 1)
