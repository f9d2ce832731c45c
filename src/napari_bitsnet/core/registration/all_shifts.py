"""Where edges of two images of different modalities run alike, over all shifts at once, whatever part of each
other they show."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SIGMA = 1.0
"""Standard deviation, in pixels, of the Gaussian whose derivatives are the edges: one pixel keeps thin lines.
"""
REACH_OF_FILTER = 4
"""Pixels around missing ones whose edges are not trusted: where `scipy.ndimage` cuts the Gaussian off."""
NEIGHBOURHOOD = 8.0
"""Standard deviation, in pixels, of the surroundings against which an edge counts as strong: faint vessels
count as much as the bright rim beside them."""
FLOOR = 0.1
"""Part of the median energy of all edges that is added to that of the surroundings, so that noise stays weak.
"""
LARGEST = 0.995
"""Correlation from which on more of it is no gain: that of an image with itself."""
LEAST_OVERLAP = 0.3
"""Part of the smaller image below which an overlap is not looked at."""


class Directions(NamedTuple):
    """How edges run in an image.

    Parameters
    ----------
    field : complex Tensor of shape (h, w)
        The doubled angle of the gradient, ``exp(2i angle)``, times a strength in [0, 1): an edge from dark to
        bright and one from bright to dark are the same.
    inside : Tensor of shape (h, w)
        1 where it is known, else 0; the field is 0 there.
    """

    field: Tensor
    inside: Tensor

    def planes(self) -> Tensor:
        """Real and imaginary part, energy, and what is known: (4, h, w)."""
        return torch.stack([self.field.real, self.field.imag, self.field.abs() ** 2, self.inside])


class BestShift(NamedTuple):
    """Where one image fits best on another one.

    Parameters
    ----------
    gain : float
        See `best_shift`.
    elsewhere : float
        The largest gain that is further than `far` from the middle.
    offset : (float, float)
        (y, x) from the middle of the fixed image to that of the moving one, in pixels.
    """

    gain: float
    elsewhere: float
    offset: tuple[float, float]


def directions(image: Tensor) -> Directions:
    """Return how edges run in an image (1, C, h, w), NaN where it shows nothing; gradients of all channels
    are added."""
    from scipy.ndimage import binary_dilation, gaussian_filter

    known = torch.isfinite(image[0]).all(dim=0).numpy()
    values = image[0].nan_to_num().numpy()
    dy, dx = (gaussian_filter(values, (0, SIGMA, SIGMA), order=(0, *o)) for o in ((1, 0), (0, 1)))
    field = ((dx + 1j * dy) ** 2).sum(axis=0)
    inside = ~binary_dilation(np.pad(~known, 1, constant_values=True), iterations=REACH_OF_FILTER)[1:-1, 1:-1]
    energy = np.abs(field) * inside
    if not energy.any():
        return Directions(torch.zeros(known.shape, dtype=torch.complex64), torch.from_numpy(inside).float())
    typical = gaussian_filter(energy, NEIGHBOURHOOD) / np.maximum(
        gaussian_filter(inside.astype(np.float32), NEIGHBOURHOOD), 1e-3
    )
    scale = typical + FLOOR * np.median(energy[inside]) + 1e-12 * energy.max()
    field = np.where(inside, field / (np.abs(field) + scale), 0).astype(np.complex64)
    return Directions(torch.from_numpy(field), torch.from_numpy(inside).float())


def best_shift(
    moving: Directions, fixed: Directions, *, reach: float, near: float = float("inf"), far: float = 0.0
) -> BestShift:
    """Find the shift at which edges of two images run alike most.

    Parameters
    ----------
    moving, fixed : Directions
        In pixels of the same size; of shapes (h, w) and (H, W).
    reach : float
        How far, in pixels, the smaller image may lie beyond the larger one; both middles may differ by so
        much and half the difference of sizes.
    near : float
        Distance of the middles, in pixels, from which on the best one is not looked for.
    far : float
        Distance of the middles, in pixels, up to which a place is not elsewhere.

    Returns
    -------
    BestShift

    Notes
    -----
    With the correlation r of both fields where they overlap, in n pixels, the gain is ``-n log(1 - r²)``, the
    log-likelihood ratio of a linear regression, and 0 for negative r. It grows with the overlap, and chance
    gives a small one the same as a large one, so that small overlaps do not win. All shifts come from a few
    Fourier transforms.

    References
    ----------
    Haber & Modersitzki, "Intensity Gradient Based Registration and Fusion of Multi-modal Images", MICCAI
    2006, doi:10.1007/11866763_89.
    Departure: all shifts at once, and strengths relative to the surroundings.
    """
    from scipy.fft import next_fast_len

    lags = [
        (-int(reach + max(h - n, 0)), int(reach + max(n - h, 0)))
        for h, n in zip(moving.field.shape, fixed.field.shape, strict=True)
    ]
    size = [  # transforms just large enough that no lag which is looked at mixes with another one
        next_fast_len(max(h + most, n - least), real=True)
        for h, n, (least, most) in zip(moving.field.shape, fixed.field.shape, lags, strict=True)
    ]
    a, b = (torch.fft.rfft2(each.planes(), size) for each in (moving, fixed))
    spectra = torch.stack([a[0].conj() * b[0] + a[1].conj() * b[1], *(a[[2, 3, 3]].conj() * b[[3, 2, 3]])])
    y, x = (torch.arange(least, most + 1) for least, most in lags)
    found = torch.fft.irfft2(spectra, size)[:, y[:, None], x].clone()
    alike = found[0]
    energy, other_energy, count = found[1:].clamp(min=0).unbind()
    tiny = 1e-6 * float(b[2, 0, 0].real) + 1e-6
    r = alike / (energy * other_energy).sqrt().clamp(min=tiny)
    gain = -count * torch.log1p(-(r.clamp(0, LARGEST) ** 2))

    least = LEAST_OVERLAP * min(float(moving.inside.sum()), float(fixed.inside.sum()))
    allowed = count >= max(least, 1.0)
    (h, w), (height, width) = moving.field.shape, fixed.field.shape
    y, x = y + (h - height) / 2, x + (w - width) / 2
    distance = torch.maximum(y.abs()[:, None], x.abs()[None])
    close = allowed & (distance <= near)
    if not close.any():
        return BestShift(0.0, 0.0, (0.0, 0.0))
    row, column = divmod(int(gain.where(close, torch.tensor(-1.0)).argmax()), len(x))
    beyond = gain[allowed & (distance > far)]
    return BestShift(
        float(gain[row, column]),
        float(beyond.max()) if len(beyond) else 0.0,
        (float(y[row]), float(x[column])),
    )
