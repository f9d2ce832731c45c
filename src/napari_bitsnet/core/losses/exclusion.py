"""Gradient exclusion: penalise edges that appear in two sources."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def exclusion_loss(
    a: Tensor,
    b: Tensor,
    *,
    n_scales: int = 3,
    balanced: bool = False,
    valid: Tensor | None = None,
    epsilon: float = 1e-10,
) -> Tensor:
    """Penalise edges that two images share.

    Parameters
    ----------
    a, b : Tensor of shape (N, C, H, W)
        Images in [0, 1], or feature maps; same N, H, W; C may differ.
    n_scales : int
        Number of dyadic scales; each halves H and W.
    balanced : bool
        True scales the gradients of `b` by ``2 mean|da| / mean|db|`` first, as in the original paper. The
        released BITS-Net code does not scale them.
    valid : Tensor of shape (1, 1, H, W), optional
        bool; differences that touch a pixel where it is False do not count.
    epsilon : float
        Keeps the slope of the fourth root finite where no edges coincide; it changes the value by less than
        ``epsilon ** (1 / 4)``.

    Returns
    -------
    Tensor of shape ()
        Dimensionless, >= 0; 0 where no edges coincide.

    Raises
    ------
    ValueError
        If N, H or W differ, or an image is too small for `n_scales`.

    Notes
    -----
    Mean over scales, directions and channel pairs of
    ``m ** (1 / 4)``, ``m = mean(tanh(da / 2)**2 * tanh(db / 2)**2)``, d = forward difference. One matrix
    product of the squared, squashed differences (C_a x pixels times pixels x C_b) gives the means of all
    channel pairs. Departure from the paper: ``(m + epsilon) ** (1 / 4) - epsilon ** (1 / 4)``, because the
    plain root has an infinite slope at 0. The BITS-Net paper names this loss without giving its formula.

    References
    ----------
    Zhang, Ng & Chen, "Single Image Reflection Separation with Perceptual Losses", CVPR 2018,
    doi:10.1109/CVPR.2018.00503.
    """
    if a.shape[0] != b.shape[0] or a.shape[-2:] != b.shape[-2:]:
        raise ValueError(
            f"Expected images of the same N, H and W, got shapes {tuple(a.shape)} and {tuple(b.shape)}."
        )
    fitting = fitting_scales(a.shape[-2], a.shape[-1], n_scales)
    if fitting < n_scales:
        raise ValueError(
            f"Expected an image that can be halved {n_scales - 1} times and keep 2 pixels a side, got "
            f"{a.shape[-2]} x {a.shape[-1]}: use n_scales={fitting}."
        )
    images, channels = torch.cat([a, b], dim=1).contiguous(), a.shape[1]  # all rows together
    means = []
    weight = None if valid is None else valid.to(a)
    for scale in range(n_scales):
        if scale:
            images = _halve(images)
            # a coarse pixel is valid if all four of its fine pixels are
            weight = None if weight is None else -F.max_pool2d(-weight, 2)
        for axis in (-1, -2):
            strength = _EdgeStrength.apply(
                _balance(images, channels, axis, epsilon) if balanced else images, axis
            )
            strength_a, strength_b = strength.split([channels, strength.shape[1] - channels], dim=1)
            if weight is None:
                count: Tensor | int = max(strength.shape[-2] * strength.shape[-1], 1)
            else:
                both = _pairwise_minimum(weight, axis)
                strength_a, count = strength_a * both, both.sum().clamp(min=1)
            means.append(_inner_products(strength_a, strength_b) / (count * len(a)))
    return ((torch.stack(means) + epsilon) ** 0.25).mean() - epsilon**0.25


def pairwise_exclusion(
    sources: Tensor, *, n_scales: int = 3, balanced: bool = False, valid: Tensor | None = None
) -> Tensor:
    """Return the mean of `exclusion_loss` over all pairs of K sources.

    Parameters
    ----------
    sources : Tensor of shape (K, C, H, W)
        Images in [0, 1]; if they are too small for `n_scales`, fewer scales are used.
    n_scales, balanced, valid
        See `exclusion_loss`.

    Returns
    -------
    Tensor of shape ()
        Dimensionless, >= 0; for K = 2 the loss of the single pair.
    """
    n_scales = fitting_scales(sources.shape[-2], sources.shape[-1], n_scales)
    terms = [
        exclusion_loss(
            sources[k : k + 1], sources[j : j + 1], n_scales=n_scales, balanced=balanced, valid=valid
        )
        for k, j in combinations(range(len(sources)), 2)
    ]
    return torch.stack(terms).mean()


def fitting_scales(height: int, width: int, n_scales: int) -> int:
    """Return the number of dyadic scales, at most `n_scales`, with at least 2 pixels a side; at least 1."""
    side, fitting = min(height, width), 1
    while fitting < n_scales and side // 2 >= 2:
        side, fitting = side // 2, fitting + 1
    return fitting


def _pairwise_minimum(weight: Tensor, axis: int) -> Tensor:
    """Return masks that are True where both pixels of a forward difference are valid."""
    size = weight.shape[axis] - 1
    return torch.minimum(weight.narrow(axis, 0, size), weight.narrow(axis, 1, size))


def _halve(images: Tensor) -> Tensor:
    """Return means of 2 x 2 pixels, by bilinear interpolation, which is faster than pooling on CPUs."""
    return F.interpolate(images, scale_factor=0.5, mode="bilinear", align_corners=False)


def _balance(images: Tensor, channels: int, axis: int, epsilon: float) -> Tensor:
    """Scale the second image (the channels after `channels`) by ``2 mean|da| / mean|db|``."""
    a, b = images[:, :channels], images[:, channels:]
    ratio = 2 * a.diff(dim=axis).abs().mean() / b.diff(dim=axis).abs().mean().clamp(min=epsilon)
    return torch.cat([a, b * ratio], dim=1)


def _inner_products(a: Tensor, b: Tensor) -> Tensor:
    """Sum products of channels over images and pixels: (N, C_a, H, W), (N, C_b, H, W) -> (C_a, C_b)."""
    if a.is_cuda:
        # one product per image row: a few long dot products would leave most of a GPU idle
        return torch.einsum("nahw,nbhw->nhab", a, b).sum(dim=(0, 1))
    return a.transpose(0, 1).flatten(1) @ b.transpose(0, 1).flatten(1).T


class _EdgeStrength(torch.autograd.Function):
    """Compute ``tanh(d / 2)**2``, d = forward difference along an axis.

    The explicit backward pass needs half of autograd's passes over memory. The slope in d is ``t (1 - t**2)``
    with t = tanh(d / 2). It is added to the second pixel of a difference and subtracted from the first.
    """

    @staticmethod
    def forward(context: Any, image: Tensor, axis: int) -> Tensor:
        squashed = image.diff(dim=axis).sigmoid_().mul_(2).sub_(1)  # tanh takes 10 times as long on a CPU
        strength = squashed.square()
        context.axis = axis
        context.save_for_backward(squashed, strength)
        return strength

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        squashed, strength = context.saved_tensors
        slope = torch.addcmul(squashed, squashed, strength, value=-1).mul_(gradients[0])
        size = slope.shape[context.axis]
        margins = (0, 0, 1, 0) if context.axis == -2 else (1, 0)
        to_pixels = F.pad(slope, margins)
        to_pixels.narrow(context.axis, 0, size).sub_(slope)
        return to_pixels, None
