"""Reconstruction losses: the difference between the remixed sources and the observation."""

from __future__ import annotations

from torch import Tensor


def l1_loss(estimate: Tensor, observed: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return the mean absolute difference (the first term of BITS-Net eq. 6, as a mean).

    Parameters
    ----------
    estimate, observed : Tensor of shape (N, C, H, W)
        Images on the [0, 1] scale.
    valid : Tensor of shape (1, 1, H, W), optional
        bool; pixels where it is False do not count.

    Returns
    -------
    Tensor of shape ()
        Dimensionless, >= 0.

    Notes
    -----
    The paper prints a sum of absolute values. The mean, as in the released code, keeps the weights of the
    other terms, which are also means, independent of the image size.
    """
    return masked_mean((estimate - observed).abs(), valid)


def l2_loss(estimate: Tensor, observed: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return the mean squared difference; parameters as in `l1_loss`."""
    return masked_mean((estimate - observed) ** 2, valid)


def masked_mean(values: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return the mean of `values` (N, C, H, W) over valid pixels; 0 if no pixel is valid."""
    if valid is None:
        return values.mean()
    weight = valid.to(values)
    entries = values.shape[0] * values.shape[1] * weight.sum()
    return (values * weight).sum() / entries.clamp(min=1)
