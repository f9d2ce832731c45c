"""Images brought onto another pixel grid by an affine map."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def resample_affine(
    image: NDArray, matrix: ArrayLike, offset: ArrayLike, shape: tuple[int, int], *, labels: bool = False
) -> NDArray:
    """Read an image at the places where another grid's pixels lie in it.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C)
        Any real type; outside it its border is continued.
    matrix : array of shape (2, 2)
        With `offset`: pixel p = (y, x) of the new grid lies at ``matrix @ p + offset`` of the image.
    offset : array of shape (2,)
        In pixels of the image.
    shape : (Y, X)
        Of the new grid.
    labels : bool
        Whether values are names: the nearest pixel's is taken instead of interpolating.

    Returns
    -------
    ndarray of shape (*shape,) or (*shape, C)
        Type of `image` for labels and where pixels fall on pixels, else float32.

    Notes
    -----
    Linear interpolation. Where the image shrinks by a factor f it is smoothed first by a Gaussian of
    ``sqrt(f**2 - 1) / 2`` pixels, so that patterns finer than the new grid do not alias.
    """
    from scipy.ndimage import affine_transform, gaussian_filter

    image, matrix, offset = np.asarray(image), np.asarray(matrix, float), np.asarray(offset, float)
    start = np.round(offset).astype(int)
    stop = start + np.asarray(shape)
    on_pixels = np.allclose(matrix, np.eye(2), atol=1e-6) and np.allclose(offset, start, atol=1e-3)
    if on_pixels and (start >= 0).all() and (stop <= image.shape[:2]).all():
        return image[start[0] : stop[0], start[1] : stop[1]]
    planes = image[..., None] if image.ndim == 2 else image
    if not labels:
        shrinks = np.sqrt(
            (matrix**2).sum(axis=1)
        )  # image pixels a step of the new grid covers, along Y and X
        sigma = np.sqrt(np.clip(shrinks**2 - 1, 0, None)) / 2
        planes = gaussian_filter(planes.astype(np.float32), (*sigma, 0), mode="nearest")
    read = [
        affine_transform(p, matrix, offset, shape, order=0 if labels else 1, mode="nearest", prefilter=False)
        for p in np.moveaxis(planes, -1, 0)
    ]
    return read[0] if image.ndim == 2 else np.stack(read, axis=-1)
