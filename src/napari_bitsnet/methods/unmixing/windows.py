"""Windows of several mixtures in which sources differ in strength, with their places, for tests on held-out
blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from napari_bitsnet.methods.unmixing.joint_diagonalisation import diagonalities, joint_diagonaliser
from napari_bitsnet.methods.unmixing.weights import (
    gradient_noise_gain,
    gradients,
    noise_variance,
    principal_axes,
    telling_windows,
    window_moments,
)

BLOCKS = 8
"""Blocks along each axis; half of them, in the pattern of a chessboard, are held out."""
LEAST_WINDOWS = 8
"""Windows of a block below which it says nothing."""
LEAST_BLOCKS = 8
"""Blocks below which no test is made."""
MOST = 6000
"""Windows that are compared, at most; more change the tests by little and take longer."""

Model = Callable[["Windows"], NDArray]
"""Returns how far each window (n,) is from the fitted model: 0 where sources do not correlate."""


@dataclass(frozen=True)
class Windows:
    """Second moments of the mixtures' gradients in small windows.

    Parameters
    ----------
    moments : ndarray of shape (n, M, M)
        Less the noise.
    places : ndarray of shape (n, 2)
        Centres (y, x), from -1 to 1 across the image.
    whitening : ndarray of shape (K, M)
        Projects onto the K strongest components of the whole image, with unit variance.
    """

    moments: NDArray
    places: NDArray
    whitening: NDArray

    @property
    def blocks(self) -> NDArray:
        """Return the number of the block of each window (n,)."""
        rows, columns = np.minimum((self.places + 1) / 2 * BLOCKS, BLOCKS - 1).astype(int).T
        return np.asarray(rows * BLOCKS + columns)

    @property
    def folds(self) -> NDArray:
        """Return the half, 0 or 1, to which each window belongs: neighbouring blocks are in different
        ones."""
        return np.asarray((self.blocks // BLOCKS + self.blocks % BLOCKS) % 2)

    def of(self, chosen: NDArray) -> Windows:
        """Return some of the windows."""
        return Windows(self.moments[chosen], self.places[chosen], self.whitening)

    def diagonaliser(self) -> NDArray:
        """Return B (K, M), which makes all moments as diagonal as possible."""
        return joint_diagonaliser(self.whitening @ self.moments @ self.whitening.T) @ self.whitening


@torch.no_grad()
def windows_of(
    observations: Tensor,
    n_sources: int,
    *,
    valid: Tensor | None = None,
    window: int = 5,
    smoothing: float = 0.0,
) -> Windows:
    """Return the windows with strong gradients, as `estimating_weights` selects them.

    Parameters
    ----------
    observations : Tensor of shape (M, C, H, W)
        The mixtures on the [0, 1] scale.
    n_sources : int
        K.
    valid : Tensor of shape (1, 1, H, W), optional
        bool; windows that touch other pixels are left out.
    window : int
        Side in pixels.
    smoothing : float
        Standard deviation, in pixels, of a Gaussian filter that is applied first.
    """
    steps = gradients(observations, smoothing=smoothing)
    height, width = steps.shape[-2:]
    side = min(window, height, width)
    stride = max(1, side // 2)
    columns = (width - side) // stride + 1
    level = noise_variance(observations, valid=valid) * gradient_noise_gain(smoothing)
    axes, _ = principal_axes(steps, level, n_sources)
    whitening = np.linalg.pinv(axes)
    moments = window_moments(steps, side)
    numbers = np.arange(len(moments))
    if valid is not None:
        inside = avg_pool2d(valid[..., :-1, :-1][0].to(steps.dtype), side, stride).flatten() == 1
        numbers = numbers[inside.cpu().numpy()]
    whitened, kept = telling_windows(
        whitening @ moments[numbers] @ whitening.T, level * whitening @ whitening.T
    )
    if not len(kept):
        return Windows(np.empty((0, *moments.shape[1:])), np.empty((0, 2)), whitening)
    chosen = np.arange(len(kept))[:: len(kept) // MOST + 1]
    rows, lines = np.divmod(numbers[kept[chosen]], columns)
    places = np.stack([(rows * stride + side / 2) / height, (lines * stride + side / 2) / width], axis=1)
    return Windows(axes @ whitened[chosen] @ axes.T, 2 * places - 1, whitening)


def held_out_gains(
    worse: Callable[[Windows], Model], better: Callable[[Windows], Model], data: Windows
) -> NDArray:
    """Return, for each block, by how much one model describes it better than another, both fitted to the
    other half.

    Parameters
    ----------
    worse, better : callable
        Fit a model to windows.
    data : Windows
        Of all blocks.

    Returns
    -------
    ndarray of shape (b,)
        Mean difference of the windows of a block; blocks with few windows are left out.
    """
    found: list[float] = []
    for fold in (0, 1):
        fitted, judged = data.of(data.folds != fold), data.of(data.folds == fold)
        if min(len(fitted.moments), len(judged.moments)) >= LEAST_WINDOWS:
            found += of_blocks(worse(fitted)(judged) - better(fitted)(judged), judged.blocks).values()
    return np.array(found)


def of_blocks(values: NDArray, blocks: NDArray) -> dict[int, float]:
    """Return the mean of windows' values (n,) in each block that has enough of them."""
    counts = np.bincount(blocks, minlength=BLOCKS**2)
    sums = np.bincount(blocks, values, minlength=BLOCKS**2)
    return {int(block): sums[block] / counts[block] for block in np.flatnonzero(counts >= LEAST_WINDOWS)}


def probability(gains: NDArray) -> float:
    """Return how probable gains (b,) of such a mean are if there is none: a one-sided t-test, 1 for too few
    blocks."""
    from scipy.stats import t as student

    spread = float(gains.std(ddof=1)) / len(gains) ** 0.5 if len(gains) >= LEAST_BLOCKS else 0.0
    return float(student.sf(gains.mean() / spread, len(gains) - 1)) if spread > 0 else 1.0


def unmixed(windows: Windows) -> Model:
    """Fit one B to all windows, as `estimating_weights` does."""
    basis = windows.diagonaliser()
    return lambda others: diagonalities(basis @ others.moments @ basis.T)
