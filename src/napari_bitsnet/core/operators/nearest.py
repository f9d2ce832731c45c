"""Where the nearest valid pixel is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nearest_valid(missing: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
    """Return row and column of the valid pixel that is nearest to each pixel.

    ``image[nearest_valid(missing)]`` is an image (Y, X[, C]) whose missing pixels have the values of their
    nearest valid neighbours.

    Parameters
    ----------
    missing : ndarray of shape (Y, X)
        bool; at least one pixel is not missing.

    Returns
    -------
    tuple of two ndarrays of shape (Y, X)
    """
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return rows, columns
