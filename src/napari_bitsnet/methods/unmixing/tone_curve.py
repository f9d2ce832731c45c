"""Tell from the mixtures whether their values are proportional to light, or follow a tone curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from napari_bitsnet.methods.unmixing.shading import shaded
from napari_bitsnet.methods.unmixing.windows import (
    Model,
    Windows,
    of_blocks,
    probability,
    unmixed,
    windows_of,
)

CLEAR = 0.001
"""Probability below which one of the two is taken to be right."""


def better_mixed(
    plain: Tensor, decoded: Tensor, n_sources: int, *, valid: Tensor | None = None, window: int = 5
) -> str | None:
    """Return ``"linear"`` or ``"srgb"``, whichever explains held-out blocks significantly better, or None.

    Parameters
    ----------
    plain, decoded : Tensor of shape (M, C, H, W)
        The mixtures as they are stored and as light, on [0, 1] scales.
    n_sources : int
        K.
    valid : Tensor of shape (1, 1, H, W), optional
        bool, False where pixels are missing.
    window : int
        Side of the windows in pixels.

    Notes
    -----
    Mixtures have one set of weights everywhere only on the scale on which they add up; on another one the
    weights change with the brightness. One matrix B is fitted to half of the blocks on each scale. In each
    other block, the mean of ``log det diag(B C B^T) - log det(B C B^T)`` over windows is compared (t-test
    over blocks); this is a dimensionless measure of how much the sources' gradients still correlate. The
    verdict has to hold with a shading of each mixture, too (see `estimate_shading`).
    """
    scales = [windows_of(images, n_sources, valid=valid, window=window) for images in (plain, decoded)]
    found = _verdict(scales, unmixed)
    if found is None or len(plain) != n_sources:
        return found
    # weights that change across the image look like weights that change with the brightness
    return found if _verdict(scales, shaded) == found else None


def _verdict(scales: Sequence[Windows], fit: Callable[[Windows], Model]) -> str | None:
    """Return the better one of two scales with one kind of model, or None."""
    found: list[float] = []
    for fold in (0, 1):
        means = []
        for windows in scales:
            fitted, judged = windows.of(windows.folds != fold), windows.of(windows.folds == fold)
            if min(len(fitted.moments), len(judged.moments)) == 0:
                return None
            means.append(of_blocks(fit(fitted)(judged), judged.blocks))
        shared = means[0].keys() & means[1].keys()
        found += [means[0][block] - means[1][block] for block in sorted(shared)]
    gains = np.array(found)
    if probability(gains) < CLEAR:
        return "srgb"
    return "linear" if probability(-gains) < CLEAR else None
