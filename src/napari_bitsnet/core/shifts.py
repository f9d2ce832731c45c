"""Small shifts between images of the same things: found to a fraction of a pixel, and undone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FURTHEST = 12
"""Largest shift along an axis that is looked for, in pixels."""
FINER = 20
"""Parts of a pixel that shifts are found to."""
ALIKE = 0.2
"""Correlation of gradients, after shifting, below which two images are not taken to show the same."""
STILL = 0.1
"""Shifts up to this many pixels along both axes count as none."""


def find_shift(image: NDArray, reference: NDArray) -> tuple[float, float]:
    """Return how far `image` lies from `reference`, (y, x) in pixels; (0, 0) where that is not clear.

    Parameters
    ----------
    image, reference : ndarray of shape (Y, X) or (Y, X, C)
        Finite values; brightness and contrast do not matter, nor do edges that one of both lacks.

    Notes
    -----
    The peak of the cross-correlation of complex gradients ``∂x + i ∂y`` under a window, first in whole pixels, then by
    a matrix Fourier transform around it.

    References
    ----------
    Guizar-Sicairos, Thurman & Fienup, "Efficient subpixel image registration algorithms", Optics Letters 33(2), 2008,
    doi:10.1364/OL.33.000156.
    """
    from skimage.registration import phase_cross_correlation

    fields = [_gradients(each) for each in (reference, image)]
    if min(np.abs(field).max() for field in fields) == 0:
        return 0.0, 0.0
    back, *_ = phase_cross_correlation(*fields, upsample_factor=FINER, normalization=None)
    shift = (-float(back[0]), -float(back[1]))
    if max(map(abs, shift)) > FURTHEST or max(map(abs, shift)) <= STILL:
        return 0.0, 0.0
    moved = _gradients(undo_shift(image, shift))
    before, after = (_correlation(fields[0], field) for field in (fields[1], moved))
    return shift if after > ALIKE and after > before else (0.0, 0.0)


def undo_shift(image: NDArray, shift: tuple[float, float]) -> NDArray:
    """Move (Y, X) or (Y, X, C) back by `shift` with splines of order 5; borders are continued by reflection."""
    from scipy.ndimage import shift as move

    if shift == (0.0, 0.0):
        return image
    offset = (-shift[0], -shift[1], *[0.0] * (image.ndim - 2))
    return move(image, offset, order=5, mode="reflect")


def unseen_border(size: tuple[int, int], shift: tuple[float, float]) -> NDArray[np.bool_]:
    """Where a shifted image (Y, X), brought back, shows nothing of its own."""
    lacking = np.zeros(size, dtype=bool)
    for axis, by in enumerate(shift):
        width = int(np.ceil(abs(by)))
        if width:
            edge = slice(-width, None) if by > 0 else slice(0, width)
            lacking[(edge, slice(None)) if axis == 0 else (slice(None), edge)] = True
    return lacking


def _gradients(image: NDArray) -> NDArray:
    """Complex gradients (Y, X) of the mean of channels, without their mean, fading out towards the borders."""
    grey = image.mean(axis=-1) if image.ndim == 3 else image
    dy, dx = np.gradient(grey.astype(float))
    field = dx + 1j * dy
    field -= field.mean()
    return field * np.hanning(len(field) + 2)[1:-1, None] * np.hanning(field.shape[1] + 2)[1:-1]


def _correlation(first: NDArray, second: NDArray) -> float:
    """Of two complex fields, in [-1, 1]."""
    size = np.sqrt((np.abs(first) ** 2).sum() * (np.abs(second) ** 2).sum())
    return float((first * second.conj()).real.sum() / max(size, 1e-300))
