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
SIGNIFICANT = 0.001
"""Probability, if nothing had moved, of blocks that agree on a shift as well as these do."""
BLOCKS, LEAST_BLOCK = 8, 8
"""Blocks along an axis that have to agree, at most, and their least side in pixels."""
VANISHING = 1e-290
"""Gradients up to this size are none: float64 could not divide by them."""
FOLDS = 4
"""Parts into which the blocks are divided: none is asked about a shift that it helped to find."""


def find_shift(image: NDArray, reference: NDArray) -> tuple[float, float]:
    """Return how far `image` lies from `reference`, (y, x) in pixels; (0, 0) where no shift explains them
    significantly better.

    Parameters
    ----------
    image, reference : ndarray of shape (Y, X) or (Y, X, C)
        Finite values; brightness and contrast do not matter, nor do edges that one of both lacks.

    Notes
    -----
    The peak of the cross-correlation of complex gradients ``∂x + i ∂y`` under a window, first in whole
    pixels, then by a matrix Fourier transform around it. Images that share some of their structure only, such
    as two fluorescence channels with crosstalk, have a peak beside zero by chance: see `shift_probability`.

    References
    ----------
    Guizar-Sicairos, Thurman & Fienup, "Efficient subpixel image registration algorithms", Optics Letters
    33(2), 2008, doi:10.1364/OL.33.000156.
    """
    fields = [_unit(_gradients(each)) for each in (reference, image)]
    if min(np.abs(field).max() for field in fields) == 0:
        return 0.0, 0.0
    shift = _peak(*fields)
    if max(map(abs, shift)) > FURTHEST or max(map(abs, shift)) <= STILL:
        return 0.0, 0.0
    moved = _unit(_gradients(undo_shift(image, shift)))
    before, after = (_correlation(fields[0], field) for field in (fields[1], moved))
    if after <= ALIKE or after <= before:
        return 0.0, 0.0
    return shift if shift_probability(*fields) < SIGNIFICANT else (0.0, 0.0)


def shift_probability(reference: NDArray, field: NDArray) -> float:
    """Return how probable it is that blocks agree on a common shift as well as these do, if there is none.

    Parameters
    ----------
    reference, field : ndarray of shape (Y, X)
        Complex gradients, fading out towards the borders.

    Returns
    -------
    float
        From 0 (certainly shifted) to 1.

    Notes
    -----
    For each of `FOLDS` parts of the blocks, the shift is found on all others; in each of its blocks the gain
    is the correlation with that shift less the correlation without. If nothing had moved, a shift that was
    found elsewhere would gain nothing on average, whatever structure the images have beside each other.
    One-sided t-test of the mean gain. Shifts by phases keep the energy of noise, so that interpolation does
    not gain by smoothing.
    """
    from scipy.stats import t as student

    rows, columns = (int(np.clip(n // LEAST_BLOCK, 2, BLOCKS)) for n in reference.shape)
    y = np.arange(reference.shape[0]) * rows // reference.shape[0]
    x = np.arange(reference.shape[1]) * columns // reference.shape[1]
    block, count = (y[:, None] * columns + x).ravel(), rows * columns
    fold = (2 * np.arange(rows)[:, None] + np.arange(columns)).ravel() % FOLDS

    def sums(values: NDArray) -> NDArray:
        return np.bincount(block, values.ravel(), count)

    gains = np.zeros(count)
    for part in range(FOLDS):
        others = np.where((fold[block] == part).reshape(reference.shape), 0, reference)
        shift = _peak(others, field)
        if max(map(abs, shift)) <= FURTHEST:
            gained = sums((reference.conj() * (_advanced(field, shift) - field)).real)
            gains = np.where(fold == part, gained, gains)
    scale = np.sqrt(sums(np.abs(reference) ** 2) * sums(np.abs(field) ** 2))
    gains /= scale + scale.mean()
    spread = gains.std(ddof=1) / np.sqrt(count)
    return float(student.sf(gains.mean() / spread, count - 1)) if spread > 0 else 1.0


def undo_shift(image: NDArray, shift: tuple[float, float]) -> NDArray:
    """Move (Y, X) or (Y, X, C) back by `shift` with splines of order 5; borders are continued by
    reflection."""
    from scipy.ndimage import shift as move

    if shift == (0.0, 0.0):
        return image
    offset = (-shift[0], -shift[1], *[0.0] * (image.ndim - 2))
    return move(image, offset, order=5, mode="reflect")


def unseen_border(size: tuple[int, int], shift: tuple[float, float]) -> NDArray[np.bool_]:
    """Where a shifted image (Y, X), brought back, shows nothing of its own."""
    lacking = np.zeros(size, dtype=bool)
    for axis, by in enumerate(shift):
        width = int(np.ceil(round(abs(by), 3)))  # arithmetic noise must not cost a row
        if width:
            edge = slice(-width, None) if by > 0 else slice(0, width)
            lacking[(edge, slice(None)) if axis == 0 else (slice(None), edge)] = True
    return lacking


def _peak(reference: NDArray, field: NDArray) -> tuple[float, float]:
    """How far `field` lies from `reference` by their cross-correlation, to a part of a pixel."""
    from scipy.fft import next_fast_len
    from skimage.registration import phase_cross_correlation

    padded = [
        np.pad(each, [(0, next_fast_len(n) - n) for n in each.shape], mode="constant")
        for each in (reference, field)
    ]
    back, *_ = phase_cross_correlation(*padded, upsample_factor=FINER, normalization=None)
    return -float(back[0]), -float(back[1])


def _advanced(field: NDArray, shift: tuple[float, float]) -> NDArray:
    """A field at places further by `shift`, by the phases of its Fourier transform."""
    from scipy.fft import fft2, ifft2, next_fast_len

    size = tuple(next_fast_len(n) for n in field.shape)
    turns = np.add.outer(*(by * np.fft.fftfreq(n) for by, n in zip(shift, size, strict=True)))
    return ifft2(fft2(field, size) * np.exp(2j * np.pi * turns))[: field.shape[0], : field.shape[1]]


def _unit(field: NDArray) -> NDArray:
    """A field with its largest magnitude 1, so that squares of tiny or huge units stay in range."""
    largest = float(np.abs(field).max())
    return field / largest if largest > VANISHING else np.zeros_like(field)


def _gradients(image: NDArray) -> NDArray:
    """Complex gradients (Y, X) of the mean of channels, without their mean, fading out towards the
    borders."""
    grey = image.mean(axis=-1) if image.ndim == 3 else image
    dy, dx = np.gradient(grey.astype(float))
    field = dx + 1j * dy
    field -= field.mean()
    return field * np.hanning(len(field) + 2)[1:-1, None] * np.hanning(field.shape[1] + 2)[1:-1]


def _correlation(first: NDArray, second: NDArray) -> float:
    """Of two complex fields, in [-1, 1]."""
    size = np.sqrt((np.abs(first) ** 2).sum() * (np.abs(second) ** 2).sum())
    return float((first * second.conj()).real.sum() / max(size, 1e-300))
