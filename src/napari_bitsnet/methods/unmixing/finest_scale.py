"""Tell whether the finest details of the mixtures were changed after mixing, as by JPEG compression."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from napari_bitsnet.methods.unmixing.windows import Windows, of_blocks, probability, unmixed, windows_of

COARSER = 1.0
"""Standard deviation, in pixels, of the smoothing with which the finest scale is compared."""
CHANGED = 0.001
"""Probability, if both scales had the same weights, of weights that predict each other as badly as these
do."""


def least_smoothing(
    observations: Tensor, n_sources: int, *, valid: Tensor | None = None, window: int = 5
) -> float:
    """Return the smoothing, in pixels, from which on gradients mix with the weights of the images: 0, or
    `COARSER`.

    Parameters
    ----------
    observations : Tensor of shape (M, C, H, W)
        The mixtures on the [0, 1] scale.
    n_sources : int
        K.
    valid : Tensor of shape (1, 1, H, W), optional
        bool, False where pixels are missing.
    window : int
        Side of the windows in pixels.

    Notes
    -----
    Compression rounds the fine details of each mixture by itself, so that they no longer mix with one set of
    weights. The weights of the finest scale and of a slightly coarser one are each fitted to one half of the
    blocks. If both predict the other half of *their own* scale significantly better than the other's, the
    finest scale was changed. With the rounding of integers alone, both predict each other as well as
    themselves.
    """
    fine, coarse = (
        windows_of(observations, n_sources, valid=valid, window=window, smoothing=smoothing)
        for smoothing in (0.0, COARSER)
    )
    differ = _misfit(fine, coarse) < CHANGED and _misfit(coarse, fine) < CHANGED
    return COARSER if differ else 0.0


def _misfit(own: Windows, other: Windows) -> float:
    """Return the probability that the other scale's weights suit blocks of the own scale as well as its own
    weights do."""
    found: list[float] = []
    for fold in (0, 1):
        judged = own.of(own.folds == fold)
        parts = [w.of(w.folds != fold) for w in (own, other)]
        if min(len(judged.moments), *(len(part.moments) for part in parts)) == 0:
            return 1.0
        mine, theirs = (unmixed(part)(judged) for part in parts)
        found += of_blocks(theirs - mine, judged.blocks).values()
    return probability(np.array(found))
