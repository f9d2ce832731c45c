"""Scores: one definition for code, documentation and benchmarks.

Estimates and truths are compared on the mixture's [0, 1] scale, as whole images (a share times K), clipped,
with data range 1, after the joint assignment of sources with the highest mean PSNR. **gain** is PSNR minus
the PSNR of the mixture itself taken as every source: the improvement over no separation.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bitsnet.core.arrays import as_array

FLAT = 0.01  # gradients of a source below this fraction of the mixture's count as empty


def psnr(estimate: NDArray, truth: NDArray) -> float:
    """Return the peak signal-to-noise ratio in decibels, data range 1; infinite for equal images."""
    error = float(np.mean((estimate - truth) ** 2))
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def ssim(estimate: NDArray, truth: NDArray) -> float:
    """Return the structural similarity (Gaussian weights, σ = 1.5 px, data range 1), averaged over channels.

    References
    ----------
    Wang et al., "Image quality assessment", IEEE TIP 13(4), 2004, doi:10.1109/TIP.2003.819861.
    """
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(
            estimate,
            truth,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=-1 if truth.ndim == 3 else None,
        )
    )


def without_offset(estimate: NDArray, truth: NDArray) -> NDArray:
    """Shift `estimate` by the best constant per channel, because brightness cannot be determined."""
    return estimate + (truth - estimate).mean(axis=(0, 1), keepdims=True)


def score(
    estimates: ArrayLike,
    truths: ArrayLike,
    mixture: ArrayLike,
    *,
    shares: bool = True,
    lo: float | None = None,
    hi: float | None = None,
) -> dict[str, Any]:
    """Score sources against their truths.

    Parameters
    ----------
    estimates, truths : arrays of shape (K, Y, X) or (K, Y, X, C)
        In the mixture's units. Pixels that are NaN or infinite in any image are excluded from PSNR, and count
        as equal to the truth in SSIM.
    mixture : array of shape (Y, X) or (Y, X, C)
        The observed image, which also sets the scale; for several mixtures, their mean.
    shares : bool
        True if sources add up to the mixture (results of "separate" and "xray"), False if they are whole
        images in its units ("multi_mixture").
    lo, hi : float, optional
        Values that count as 0 and 1; by default the mixture's finite minimum and maximum.

    Returns
    -------
    dict
        ``assignment`` (index of the estimate for each truth) and, for ``psnr``, ``ssim``,
        ``psnr_offset_free``, ``gain``, ``gain_offset_free`` (dB; SSIM dimensionless), a list over sources
        under the name and its mean under ``mean_`` and the name.

    Raises
    ------
    ValueError
        If the shapes do not agree, no pixel is finite everywhere, or the mixture has no range.
    """
    estimates, truths, mixture = (
        as_array(a, what).astype(np.float64)
        for a, what in ((estimates, "estimates"), (truths, "truths"), (mixture, "the mixture"))
    )
    if estimates.shape != truths.shape or truths.shape[1:] != mixture.shape:
        raise ValueError(
            "Expected estimates and truths of the same shape (K, ...) and a mixture of shape (...), got "
            f"{estimates.shape}, {truths.shape} and {mixture.shape}."
        )
    missing = ~(np.isfinite(estimates).all(0) & np.isfinite(truths).all(0) & np.isfinite(mixture))
    if missing.ndim == 3:
        missing = np.asarray(missing.any(-1))
    if missing.all():
        raise ValueError("Expected pixels that are finite in estimates, truths and mixture, got none.")
    n = len(truths)
    finite = mixture[np.isfinite(mixture)]
    lo = float(finite.min()) if lo is None else lo
    hi = float(finite.max()) if hi is None else hi
    if not hi > lo:
        raise ValueError(
            f"Expected values for 0 and 1 in rising order, got {lo:g} and {hi:g}: give lo and hi."
        )
    factor = n if shares else 1

    def whole(image: NDArray) -> NDArray:
        return np.clip(factor * (image - lo / factor) / (hi - lo), 0, 1)

    truth = [whole(t) for t in truths]
    null = np.clip((mixture - lo) / (hi - lo), 0, 1)
    answer = [whole(e) for e in estimates]

    def keep(image: NDArray) -> NDArray:
        return image[~missing][:, None] if missing.any() else image

    def fill(image: NDArray, t: NDArray) -> NDArray:
        return np.where(missing if t.ndim == 2 else missing[..., None], np.nan_to_num(t), image)

    pairs = np.array([[psnr(keep(e), keep(t)) for e in answer] for t in truth])
    best = max(permutations(range(n)), key=lambda p: sum(min(pairs[k, p[k]], 200.0) for k in range(n)))
    matched = [answer[k] for k in best]
    columns = {
        "psnr": [pairs[k, best[k]] for k in range(n)],
        "ssim": [ssim(fill(e, t), np.nan_to_num(t)) for e, t in zip(matched, truth, strict=True)],
        "psnr_offset_free": [
            psnr(without_offset(keep(e), keep(t)), keep(t)) for e, t in zip(matched, truth, strict=True)
        ],
        "psnr_mixture": [psnr(keep(null), keep(t)) for t in truth],
        "ssim_mixture": [ssim(fill(null, t), np.nan_to_num(t)) for t in truth],
        "psnr_mixture_offset_free": [psnr(without_offset(keep(null), keep(t)), keep(t)) for t in truth],
    }
    for kind in ("", "_offset_free"):
        pair = zip(columns[f"psnr{kind}"], columns[f"psnr_mixture{kind}"], strict=True)
        columns[f"gain{kind}"] = [0.0 if a == b else a - b for a, b in pair]  # both may be infinite
    means = {f"mean_{name}": float(np.mean(values)) for name, values in columns.items()}
    return {"assignment": list(best), **columns, **means}


def empty_answers(mixture: NDArray, n_sources: int = 2) -> list[NDArray]:
    """Return the null answers: the mixture's shares shifted by ± 0.05 or scaled by 1 ± 0.1.

    Parameters
    ----------
    mixture : array of shape (Y, X) or (Y, X, C)
        On its [0, 1] scale.
    n_sources : int
        K; with more than two, half of the sources go up and half down.

    Returns
    -------
    list of arrays of shape (K, ...)
        Shares that separate nothing. The best of their scores is the null, because joint assignment gives
        them a small positive gain.
    """
    signs = np.where(np.arange(n_sources) % 2, -1.0, 1.0).reshape(-1, *[1] * mixture.ndim)
    return [(mixture + 0.05 * signs) / n_sources, mixture * (1 + 0.1 * signs) / n_sources]


def copy_fraction(sources: NDArray, mixture: NDArray) -> float:
    """Return the similarity of the sources to the mixture: 1 for shifted and scaled copies.

    Parameters
    ----------
    sources : array of shape (K, Y, X) or (K, Y, X, C)
        Shares in the mixture's units.
    mixture : array of shape (Y, X) or (Y, X, C)
        The observed image; pixels that are NaN or infinite here or in a source are excluded.

    Returns
    -------
    float
        The minimum over sources of the squared correlation between the source's and the mixture's gradients,
        in [0, 1]. A source whose gradients are below 0.01 of the mixture's counts as 1, because the other
        source is then the whole mixture.
    """

    def gradients(image: NDArray) -> NDArray:
        return np.concatenate([np.diff(image, axis=0).ravel(), np.diff(image, axis=1).ravel()])

    images = as_array(sources, "sources").astype(np.float64)
    whole = as_array(mixture, "the mixture").astype(np.float64)
    reference = gradients(np.where(np.isfinite(whole), whole, np.nan))
    fractions = []
    for source in np.where(np.isfinite(images), images, np.nan):
        steps = gradients(source)
        seen = np.isfinite(steps) & np.isfinite(reference)
        own, other = float(steps[seen] @ steps[seen]), float(reference[seen] @ reference[seen])
        empty = own <= FLAT**2 * other or other == 0
        fractions.append(1.0 if empty else float(steps[seen] @ reference[seen]) ** 2 / (own * other))
    return min(fractions)
