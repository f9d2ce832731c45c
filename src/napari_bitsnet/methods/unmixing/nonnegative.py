"""Correct weights with which an unmixing subtracts more than there is: sources of light are not negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_bitsnet.core.operators.blur import blur

SMOOTHING = 1.0
"""Standard deviation of the blur against single noisy pixels, in pixels."""
DARK_PART = 0.02
"""Part of the pixels, the darkest in all mixtures at once, that shows the background."""
DARK = 0.03
"""Largest value, over the mixtures' range, of pixels that count as background."""
BRIGHT = 0.3
"""Value of a source, over its largest one, from which on another source must not become negative there."""
LEAST_BRIGHT = 100
"""Smallest number of such pixels that tells something."""
OUTLIERS = 0.001
"""Part of these pixels that may be negative."""
BRIGHTEST = 0.995
"""Quantile that stands for the largest value of a mixture or source."""


def without_negatives(weights: NDArray, observations: Tensor, *, valid: Tensor | None = None) -> NDArray:
    """Return weights with which next to no pixel of a source falls below the background.

    Parameters
    ----------
    weights : ndarray of shape (M, K)
        Estimated weights; the scales of the columns do not matter.
    observations : Tensor of shape (M, C, H, W)
        The mixtures.
    valid : Tensor of shape (1, 1, H, W), optional
        bool, False where pixels are missing.

    Returns
    -------
    ndarray of shape (M, K)
        The weights as they are if no part of the images is background (dark in all mixtures at once), as in
        most photographs.

    Notes
    -----
    Correlated sources, such as two stains of the same cells, have edges in the same places, and weights from
    edges then subtract too much. With ``t = W^+ (I - background)``, source j may be
    ``-c_jk t_k`` at the darkest where source k is bright; ``t_j + c_jk t_k`` is not negative there, so that
    ``W (1 + C)^-1`` are the weights. Where sources are never alone, too much may still be subtracted: the
    correction goes only as far as needed.
    """
    blurred = blur(observations, SMOOTHING)
    pixels = blurred.flatten(2)
    if valid is not None:
        pixels = pixels[..., valid.flatten()]
    mixed = pixels.flatten(1).double().cpu().numpy()
    background = dark_background(mixed)
    if background is None:
        return weights
    sources = np.linalg.pinv(weights) @ (mixed - background[:, None])
    excess = np.eye(len(sources))
    for k, bright in enumerate(sources):
        where = bright > BRIGHT * max(0.0, np.quantile(bright, BRIGHTEST))
        if where.sum() < LEAST_BRIGHT:
            continue
        lowest = np.quantile(sources[:, where] / bright[where], OUTLIERS, axis=1)
        lowest[k] = 0
        excess[:, k] += np.maximum(0, -lowest)
    found: NDArray = weights @ np.linalg.inv(excess)
    return found


def dark_background(mixed: NDArray) -> NDArray | None:
    """Return the level of each mixture (M,) where all are dark, or None if they are not dark together.

    Parameters
    ----------
    mixed : ndarray of shape (M, N)
        Values of the mixtures.
    """
    least = mixed.min(axis=1, keepdims=True)
    extent = np.quantile(mixed, BRIGHTEST, axis=1, keepdims=True) - least
    if not (extent > 0).all():
        return None
    relative = ((mixed - least) / extent).max(axis=0)
    limit = np.quantile(relative, DARK_PART)
    if limit > DARK:
        return None
    level: NDArray = mixed[:, relative <= limit].mean(axis=1)
    return level
