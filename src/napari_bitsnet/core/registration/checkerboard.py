"""Two images in turns on a checkerboard: where their contours meet at its borders, they are registered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (1, 99)
"""Values of each image that are shown as 0 and 1."""


def checkerboard(first: NDArray, second: NDArray, *, fields: int = 10) -> NDArray:
    """Return a picture that shows the first image on one half of the fields and the second on the other.

    Parameters
    ----------
    first, second : array of shape (Y, X) or (Y, X, C)
        Of one size; each is stretched to its own range. Opacity is dropped.
    fields : int
        Along the longer side.

    Returns
    -------
    ndarray of shape (Y, X, 3)
        float32 in [0, 1].

    Raises
    ------
    ValueError
        If the sizes differ.
    """
    if first.shape[:2] != second.shape[:2]:
        raise ValueError(f"Expected images of one size, got {first.shape[:2]} and {second.shape[:2]}.")
    height, width = first.shape[:2]
    side = max(1, -(-max(height, width) // fields))
    y, x = np.ogrid[:height, :width]
    dark = (y // side + x // side) % 2 == 0
    return np.where(dark[..., None], _stretched(first), _stretched(second))


def _stretched(image: NDArray) -> NDArray:
    """In colour, from 0 to 1; missing pixels are 0."""
    image = np.asarray(image, dtype=np.float32)
    coloured = np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image[..., :3]
    finite = coloured[np.isfinite(coloured)]
    low, high = np.percentile(finite, PERCENTILES) if finite.size else (0.0, 1.0)
    return np.nan_to_num(np.clip((coloured - low) / max(high - low, 1e-9), 0, 1)).astype(np.float32)
