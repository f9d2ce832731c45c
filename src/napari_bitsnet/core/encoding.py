"""Encoding of stored values: light adds up, but photographs are stored with a tone curve (sRGB)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["linear", "srgb", "auto"]
"""Stored values are proportional to light, follow the curve of sRGB, or follow what the file says."""

DESCRIPTION = (
    "How stored values follow the light that adds up: in proportion (linear), by the tone curve of "
    "photographs (srgb), or {auto} (auto). They are decoded before the work, and images are encoded again."
)
"""Of the setting of this name; tasks say what they do by default."""

KNEE, SLOPE = 0.0031308, 12.92  # below, the curve is a line, so that black has a finite slope
OFFSET, EXPONENT = 0.055, 2.4
WHITEST = 1 + 1e-6
"""Largest value, with a margin for rounding, of floating images whose white is 1."""


@dataclass(frozen=True)
class Transfer:
    """Conversion between stored values and light.

    Parameters
    ----------
    white : float, optional
        Stored value of white, which stands for the same amount of light; None if stored values are light
        already.

    Notes
    -----
    With ``v`` stored and ``l`` light, both relative to white: ``v = 12.92 l`` for ``l <= 0.0031308``, else
    ``v = 1.055 l**(1 / 2.4) - 0.055``. Negative values follow the curve mirrored at 0, so that sources with
    some noise below black are encoded and decoded without loss.

    References
    ----------
    IEC 61966-2-1:1999, "Default RGB colour space – sRGB".

    Examples
    --------
    >>> Transfer(255.0).to_light(np.array([0.0, 188.0, 255.0])).round(1).tolist()
    [0.0, 128.2, 255.0]
    >>> Transfer().to_light(np.array([0.0, 188.0])).tolist()
    [0.0, 188.0]
    """

    white: float | None = None

    @property
    def is_identity(self) -> bool:
        """Return True if stored values are proportional to light."""
        return self.white is None

    def to_light(self, stored: NDArray) -> NDArray:
        """Return the light of stored values, any shape, float64; without a curve, the values themselves.

        A fourth channel of an image (Y, X, 4) is opacity and stays as it is.
        """
        if self.white is None:
            return stored
        values = np.asarray(stored, dtype=np.float64) / self.white
        size = np.abs(values)
        with np.errstate(invalid="ignore"):
            curved = ((size + OFFSET) / (1 + OFFSET)) ** EXPONENT
            light = np.copysign(np.where(size <= KNEE * SLOPE, size / SLOPE, curved), values) * self.white
        if values.ndim == 3 and values.shape[-1] == 4:
            light[..., 3] = stored[..., 3]
        return light

    def to_stored(self, light: NDArray) -> NDArray:
        """Return the stored values, not rounded, of light of any shape; the inverse of `to_light`."""
        if self.white is None:
            return light
        values = np.asarray(light, dtype=np.float64) / self.white
        size = np.abs(values)
        with np.errstate(invalid="ignore"):
            curved = (1 + OFFSET) * size ** (1 / EXPONENT) - OFFSET
            stored = np.copysign(np.where(size <= KNEE, size * SLOPE, curved), values) * self.white
        return stored.astype(np.asarray(light).dtype) if np.asarray(light).dtype.kind == "f" else stored


def transfer_of(encoding: str, image: NDArray, stored: np.dtype, white: float | None = None) -> Transfer:
    """Return the conversion for an image.

    Parameters
    ----------
    encoding : str
        ``"srgb"``, or ``"linear"``; ``"auto"`` without a file that says otherwise counts as linear.
    image : ndarray
        The stored values, for messages and for the white of floating ones.
    stored : dtype
        Type in which they are stored; the largest integer is white.
    white : float, optional
        Value of white where it is known.

    Raises
    ------
    ValueError
        If the white of floating values is not known.
    """
    if encoding != "srgb":
        return Transfer()
    if white is not None:
        return Transfer(float(white))
    if np.issubdtype(stored, np.integer):
        return Transfer(float(np.iinfo(stored).max))
    largest = float(np.nanmax(image, where=np.isfinite(image), initial=0.0))
    if largest > WHITEST:
        raise ValueError(
            f'Expected floating values from 0 (black) to 1 (white) with encoding="srgb", got values up to '
            f"{largest:g}: set "
            'high to the value of white, or encoding="linear".'
        )
    return Transfer(1.0)


def may_be_photograph(image: NDArray, stored: np.dtype) -> bool:
    """Return True for colours of 8 bits, which are mostly stored with a tone curve; measurements are grey,
    deeper or floating."""
    return stored == np.uint8 and image.ndim == 3 and image.shape[-1] in (3, 4)
