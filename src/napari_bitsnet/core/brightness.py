"""Change the split of brightness between sources, which no method can determine from the mixture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def split_brightness(sources: Sequence[NDArray], shifts: Sequence[float]) -> list[NDArray]:
    """Shift the brightness of sources by constants without changing their sum.

    Parameters
    ----------
    sources : sequence of K ndarrays of one shape
        Shares of the mixture.
    shifts : sequence of K float
        Brightness change of each source, in its units; only differences count.

    Returns
    -------
    list of K ndarrays
        ``source_k + shift_k - mean(shifts)``, of the sources' type.

    Raises
    ------
    ValueError
        If the numbers of sources and shifts differ.

    Notes
    -----
    The mixture only determines the sum: for any c, ``(y_1 + c) + (y_2 - c) = y_1 + y_2``.
    """
    if len(sources) != len(shifts):
        raise ValueError(f"Expected one shift for each of {len(sources)} sources, got {len(shifts)}.")
    balanced = np.asarray(shifts, dtype=float) - np.mean(shifts)
    return [
        (source + shift).astype(source.dtype, copy=False)
        for source, shift in zip(sources, balanced, strict=True)
    ]
