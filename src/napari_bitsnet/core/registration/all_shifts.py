"""Where two images of different modalities fit best, over all shifts at once, whatever part of each other they show."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.colours import ColourBasis, fit_centres

CLUSTERS, WIDTH = 16, 0.1
"""Clusters of the moving image's values or colours, and their width on the [0, 1] scale."""
LEAST_OVERLAP = 0.3
"""Part of the smaller image below which an overlap is not looked at."""
LEAST_SPREAD = 1e-3
"""Part of the largest eigenvalue from which a combination of clusters counts: others are noise."""


class BestShift(NamedTuple):
    """Where one image fits best on another one.

    Parameters
    ----------
    gain : float
        See `best_shift`.
    typical : float
        Median of the gain over all shifts that were tried.
    offset : (float, float)
        (y, x) from the middle of the fixed image to that of the moving one, in pixels.
    """

    gain: float
    typical: float
    offset: tuple[float, float]


def best_shift(
    moving: Tensor,
    fixed: Tensor,
    *,
    reach: float,
    near: float = float("inf"),
    centres: Tensor | None = None,
) -> BestShift:
    """Find the shift at which edges of one image explain most of another one's.

    Parameters
    ----------
    moving : Tensor of shape (1, C, h, w)
        In [0, 1]; NaN where it shows nothing.
    fixed : Tensor of shape (1, C', H, W)
        In pixels of the same size; the mean of its channels is looked at.
    reach : float
        How far, in pixels, the smaller image may lie beyond the larger one; both middles may differ by so much
        and half the difference of sizes.
    near : float
        Distance of the middles, in pixels, from which on the best one is not looked for; all others are typical.
    centres : Tensor of shape (N, C), optional
        Of the clusters of the moving image's colours. Gains of the same image, moved, compare if they share them: those
        that are found here, by k-means, differ with every change of the image.

    Returns
    -------
    BestShift

    Notes
    -----
    With memberships a_n of the moving image's colours in clusters and the fixed image g, the gain at a shift s is the
    log-likelihood ratio ``-n log(1 - R²)``: n are the pixels of the overlap, R² the part of the gradient energy of g
    there that ``sum_n c_n ∇a_n(x - s)`` explains. It is in units that do not depend on the overlap, and chance
    gives a small one the same as a large one, so that small overlaps do not win. All shifts come from a few Fourier
    transforms, as the Gram matrix of ∇a_n is taken from the whole moving image, in proportion to the energy in the overlap.
    """
    from scipy.fft import next_fast_len

    known = torch.isfinite(moving[0]).all(dim=0)
    if not known.any():
        return BestShift(0.0, 0.0, (0.0, 0.0))
    if centres is None:
        centres = fit_centres(moving[:, :, known][..., None, :], CLUSTERS, seed=0)
    basis = ColourBasis(centres, WIDTH)
    features, inside = _edges(basis.memberships(moving[0].nan_to_num()), known)
    features = _whitened(features)
    goal, _ = _edges(fixed.mean(dim=1), torch.ones_like(fixed[0, 0], dtype=torch.bool))

    (h, w), (height, width) = known.shape, fixed.shape[-2:]
    size = [next_fast_len(a + b - 1, real=True) for a, b in ((h, height), (w, width))]

    def correlate(a: Tensor, b: Tensor) -> Tensor:
        """``sum_x a(x) b(x + s)``, (…, h + H - 1, w + W - 1), from the most negative s to the largest."""
        product = torch.fft.rfft2(a, size).conj() * torch.fft.rfft2(b, size)
        both = torch.fft.irfft2(product, size).roll((h - 1, w - 1), (-2, -1))
        return both[..., : h + height - 1, : w + width - 1]

    everywhere = torch.ones(height, width)
    projections = correlate(features[:, 0], goal[:, 0]) + correlate(features[:, 1], goal[:, 1])
    explained = (projections**2).sum(dim=0)
    part = correlate((features**2).sum(dim=(0, 1)) / len(features), everywhere)
    energy = correlate(inside, (goal[0] ** 2).sum(dim=0))
    count = correlate(inside, everywhere)
    tiny = 1e-6 * float((goal**2).sum()) + 1e-12
    ratio = explained / (part * energy).clamp(min=tiny * LEAST_OVERLAP)
    gain = -count * torch.log1p(-ratio.clamp(0, 0.99))

    y = torch.arange(h + height - 1) - (h - 1) + (h - height) / 2
    x = torch.arange(w + width - 1) - (w - 1) + (w - width) / 2
    beyond = torch.stack(
        torch.broadcast_tensors(
            (y.abs() - abs(height - h) / 2)[:, None], (x.abs() - abs(width - w) / 2)[None]
        )
    )
    allowed = (beyond <= reach).all(dim=0) & (
        count >= LEAST_OVERLAP * min(float(inside.sum()), height * width)
    )
    close = allowed & (torch.maximum(y.abs()[:, None], x.abs()[None]) <= near)
    if not close.any():
        return BestShift(0.0, 0.0, (0.0, 0.0))
    row, column = divmod(int(gain.where(close, torch.tensor(-1.0)).argmax()), len(x))
    return BestShift(
        float(gain[row, column]), float(gain[allowed].median()), (float(y[row]), float(x[column]))
    )


def _edges(images: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences along y and x, (N, 2, h, w), and where all that they take is known, (h, w): 0 elsewhere."""
    missing = F.pad((~known)[None].float(), (1, 1, 1, 1), value=1.0)
    inside = (F.max_pool2d(missing, 3, stride=1)[0] == 0).float()
    dy = F.pad(images[:, 2:] - images[:, :-2], (0, 0, 1, 1))
    dx = F.pad(images[:, :, 2:] - images[:, :, :-2], (1, 1))
    return torch.stack([dy, dx], dim=1) * inside, inside


def _whitened(features: Tensor) -> Tensor:
    """Combinations of features (N, 2, h, w) whose Gram matrix is the identity; fewer where some are alike."""
    flat = features.flatten(1)
    values, vectors = torch.linalg.eigh(flat @ flat.T)
    keep = values > max(LEAST_SPREAD * float(values.max()), 1e-12)
    if not keep.any():
        return torch.zeros_like(features[:1])
    return torch.einsum("nm,nkhw->mkhw", vectors[:, keep] / values[keep].sqrt(), features)
