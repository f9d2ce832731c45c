"""Denoise sources whose noise is correlated, because they were unmixed from the same noisy mixtures."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from napari_bitsnet.core.patches.denoising import denoising_patches
from napari_bitsnet.core.patches.groups import opponent
from napari_bitsnet.core.stages import Partial

STRIDE = 4
"""Pixels between reference patches."""
LARGEST = 1.0
"""Largest noise level, on the [0, 1] scale; higher ones are clipped to it."""


def denoising_jointly(
    observations: Tensor, weights: Tensor, sigma: float, earlier: Tensor | None = None
) -> Generator[Partial, None, Tensor]:
    """Unmix the mixtures and denoise all sources and colours together, for one round.

    Yields what is done on the way: components, not sources.

    Parameters
    ----------
    observations : Tensor of shape (M, C, H, W)
        Mixtures with independent white noise.
    weights : Tensor of shape (M, K)
        W, of rank K.
    sigma : float
        Standard deviation of the noise on the mixtures' scale, > 0.
    earlier : Tensor of shape (K, C, H, W), optional
        Sources after an earlier round, whose patches give the statistics; None uses the noisy patches.

    Returns
    -------
    Tensor of shape (K, C, H, W)
        Denoised sources, on the mixtures' scale.

    Notes
    -----
    Unmixed sources ``W^+ I`` carry noise of covariance ``σ² (WᵀW)⁻¹``. With nearly equal weights this noise
    is strong and nearly opposite in the sources, while their sum is hardly noisy. In the coordinates ``UᵀI``,
    ``W = U S Vᵀ``, the noise is white again. NL-Bayes over patches of all K components and colours together,
    ``x = m + C (C + σ²)⁻¹ (y − m)``, gives the same estimate there as with the full covariance of the
    sources, because a linear change of coordinates changes neither the posterior mean nor the groups. The
    edges of the strong component thus help to estimate the weak one.

    References
    ----------
    Lebrun, Buades & Morel, "A Nonlocal Bayesian Image Denoising Algorithm", SIAM J. Imaging Sciences 6(3),
    2013, doi:10.1137/120874989.
    """
    axes = torch.linalg.svd(weights.double(), full_matrices=False).U
    axes = axes * torch.where(axes.sum(dim=0) < 0, -1.0, 1.0)
    there = axes.T @ weights.double()  # (K, K): from sources to components
    noisy = _channels(torch.einsum("mk,mchw->kchw", axes.to(observations), observations))
    basic = None if earlier is None else _channels(torch.einsum("kl,lchw->kchw", there.to(earlier), earlier))
    clean = yield from denoising_patches(noisy, min(sigma, LARGEST), basic, stride=STRIDE)
    parts = clean.split(observations.shape[1], dim=1)
    components = torch.cat([opponent(part, inverse=True) for part in parts])
    return torch.einsum("lk,kchw->lchw", torch.linalg.inv(there).to(components), components)


def _channels(components: Tensor) -> Tensor:
    """Return the opponent colours of all components (K, C, H, W) as channels of one image (1, K C, H, W)."""
    return torch.cat([opponent(component[None]) for component in components], dim=1)
