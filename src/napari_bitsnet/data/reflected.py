"""Lay the reflection of a photograph over another one, as behind glass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXCESS = 1.3
"""How many times the mean excess over white is taken from the reflection, as in CEILNet's simulation."""


@dataclass(frozen=True)
class Reflected:
    """A scene behind glass, ``I = clip(T + R)``; arrays (Y, X, 3) in [0, 1].

    Parameters
    ----------
    image, transmission, reflection : ndarray of shape (Y, X, 3)
        I, T and R.
    """

    image: NDArray
    transmission: NDArray
    reflection: NDArray


def lay_reflection(behind: NDArray, before: NDArray, *, sigma: float = 3.0) -> Reflected:
    """Simulate a photograph through glass that reflects another one, out of focus.

    Parameters
    ----------
    behind, before : ndarray of shape (Y, X, 3)
        What stands behind the glass, and what it reflects; in [0, 1].
    sigma : float
        Blur of the reflection, pixels.

    Notes
    -----
    ``R = clip(blur(before) - 1.3 (m - 1))``, m the mean of the values of ``behind + blur(before)`` above 1.

    References
    ----------
    Fan et al., "A Generic Deep Architecture for Single Image Reflection Removal and Image Smoothing", ICCV
    2017, doi:10.1109/ICCV.2017.351.
    """
    from scipy.ndimage import gaussian_filter

    soft = gaussian_filter(before.astype(np.float64), (sigma, sigma, 0), mode="constant")
    total = behind + soft
    above = total[total > 1]
    excess = float((above - 1).mean()) if above.size else 0.0
    reflection = np.clip(soft - EXCESS * excess, 0, 1)
    return Reflected(np.clip(behind + reflection, 0, 1), np.asarray(behind, np.float64), reflection)
