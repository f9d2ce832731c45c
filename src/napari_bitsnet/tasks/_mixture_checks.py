"""Whether several mixtures can be told apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_SIZE = 16  # pixels a side that weights can be estimated from
SAME = 1e-9  # relative variance below which a further component of the gradients is arithmetic noise
ROUNDING = 1.5 * 2 / 12  # variance of a difference of integers, with a margin


def check_different(images: NDArray, missing: NDArray, n_sources: int, *, rounded: bool) -> None:
    """Check that at least as many mixtures as sources differ by more than brightness and contrast.

    Parameters
    ----------
    images : ndarray of shape (M, Y, X[, C])
        The mixtures in their own units.
    missing : ndarray of shape (Y, X)
        True where pixels are left out.
    n_sources : int
        K.
    rounded : bool
        Whether they are whole numbers, which differ by rounding alone.

    Raises
    ------
    ValueError
        If fewer do, or the images are too small to tell.
    """
    if min(missing.shape) < LEAST_SIZE:
        raise ValueError(
            f"Expected at least {LEAST_SIZE} x {LEAST_SIZE} pixels to estimate weights from, got "
            f"{missing.shape[0]} x {missing.shape[1]}: give the weights."
        )
    steps = []
    for axis in (0, 1):
        whole = ~(missing | np.roll(missing, -1, axis)).take(range(missing.shape[axis] - 1), axis)
        steps.append(np.diff(images, axis=axis + 1)[:, whole].reshape(len(images), -1))
    gradients = np.concatenate(steps, axis=1)
    variances = np.linalg.eigvalsh(gradients @ gradients.T / max(1, gradients.shape[1]))[::-1]
    enough = max(SAME * variances[0], ROUNDING if rounded else 0.0)
    different = int((variances > enough).sum())
    if different < n_sources:
        raise ValueError(
            f"Expected {n_sources} mixtures with different weights, got {len(images)} of which {different} "
            "differ by more than brightness and contrast: they cannot be told apart."
        )
