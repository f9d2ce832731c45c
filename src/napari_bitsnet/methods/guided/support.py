"""The support's part of an image, a weave or a grain, told from all else by its spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EXCESS = 2.0
"""Power over the median of its ring from which a frequency counts as the support's."""
SMOOTH = 2.0
"""Standard deviation, in frequency bins, of the Gaussian that makes an estimate of the spectrum."""
COARSEST = 0.02
"""Lowest frequency of a support, in cycles a pixel: wider structure is never taken for it."""
RINGS = 8
"""An octave."""
PAD = 32
"""Pixels by which the image is mirrored at its borders."""


def support_part(image: NDArray) -> NDArray:
    """Find what is periodic or runs in one direction all over an image.

    Parameters
    ----------
    image : ndarray of shape (Y, X)
        Without missing pixels; best what is left when all else has been explained.

    Returns
    -------
    ndarray of shape (Y, X)
        float32, of about mean zero.

    Notes
    -----
    The power P of paint and brushwork is about the same in all directions, that of a support stands out of
    its ring of equal frequencies |f|. So the image is filtered by ``max(0, 1 - EXCESS median_ring P /
    P(f))``, spectral subtraction with the ring's median as the noise; P is smoothed, of the image under a
    Hann window. Needs no size of the mesh, no direction, and follows bends as far as these widen the peaks.
    Bars of a cradle are wider than `COARSEST`.

    References
    ----------
    Boll, "Suppression of Acoustic Noise in Speech Using Spectral Subtraction", IEEE TASSP 1979,
    doi:10.1109/TASSP.1979.1163209.
    """
    from scipy.ndimage import map_coordinates

    image = np.asarray(image, dtype=np.float32)
    image = image - image.mean()
    gain = np.fft.fftshift(_gain(image))
    pads = [min(PAD, n - 1) for n in image.shape]
    padded = np.pad(image, [(p, p) for p in pads], mode="reflect")
    places = [np.fft.fftfreq(m) * n + n // 2 for m, n in zip(padded.shape, image.shape, strict=True)]
    finer = map_coordinates(gain, np.meshgrid(*places, indexing="ij"), order=1, mode="grid-wrap")
    filtered = np.fft.ifft2(np.fft.fft2(padded) * finer).real
    inner = tuple(slice(p, p + n) for p, n in zip(pads, image.shape, strict=True))
    return np.asarray(filtered[inner], dtype=np.float32)


def _gain(image: NDArray) -> NDArray:
    """What the filter leaves of each frequency, in the order of ``fft2``."""
    from scipy.ndimage import gaussian_filter, median

    height, width = image.shape
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    power = gaussian_filter(np.abs(np.fft.fft2(image * window)) ** 2, SMOOTH, mode="wrap")
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    rings = np.round(RINGS * np.log2(1 + frequency / COARSEST)).astype(int)
    usual = np.asarray(median(power, rings, np.arange(rings.max() + 1)))[rings]
    excess = usual / np.maximum(power, np.finfo(power.dtype).tiny)
    return np.where(frequency < COARSEST, 0.0, np.clip(1 - EXCESS * excess, 0, 1))
