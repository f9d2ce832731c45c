"""Opacity and missing pixels of files: what is not there becomes NaN, or has no opacity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unmultiplied(image: NDArray, axis: int, full: float) -> NDArray:
    """Divide associated opacity out of the colours, which it was multiplied into.

    Parameters
    ----------
    image : ndarray
        Colours and, last along `axis`, opacity.
    axis : int
        Of the channels.
    full : float
        Opacity of what is opaque: 1, or the largest integer.
    """
    channels = np.moveaxis(image, axis, 0)
    opacity = channels[-1].astype(np.float64)
    out = np.empty_like(channels)
    out[-1] = channels[-1]
    for c in range(len(channels) - 1):  # one at a time: float64 of a large image would fill the memory
        scaled = channels[c].astype(np.float64) * full
        plain = np.divide(scaled, opacity, out=np.zeros_like(opacity), where=opacity > 0)
        if np.issubdtype(image.dtype, np.integer):
            plain = np.clip(np.rint(plain), 0, full)
        out[c] = plain
    return np.moveaxis(out, 0, axis)


def grey_without_opacity(image: NDArray, axis: int) -> NDArray:
    """Return the grey channel of grey and opacity; NaN where opacity is zero.

    Parameters
    ----------
    image : ndarray
        Two channels along `axis`.
    axis : int
        Of the channels; it is dropped.
    """
    grey, opacity = np.moveaxis(image, axis, 0)
    return without(np.ascontiguousarray(grey), opacity == 0)


def without(array: NDArray, missing: NDArray) -> NDArray:
    """Return the array with NaN in missing pixels, floating if there are any: float32 where that is exact."""
    if not missing.any():
        return array
    exact = array.dtype.itemsize <= 2 or array.dtype == np.float32
    out = array.astype(array.dtype if array.dtype.kind == "f" else np.float32 if exact else np.float64)
    out[missing] = np.nan
    return out


def equals_no_data(array: NDArray, text: str, colour_axis: int | None) -> NDArray:
    """Where an array holds the value that GDAL writes for missing ones.

    Parameters
    ----------
    array : ndarray
        As stored.
    text : str
        Of tag 42113: a number, or nan.
    colour_axis : int or None
        Axis of the colours: a pixel is missing if all of its colours are; a single one may be that dark.

    Returns
    -------
    bool ndarray of `array`'s shape
    """
    try:
        value = float(text.strip().strip("\0").replace(",", "."))
    except ValueError:
        return np.zeros(array.shape, bool)
    if array.dtype.kind in "iub":
        if not np.isfinite(value) or value != np.rint(value):
            return np.zeros(array.shape, bool)
        missing = array == int(value)  # False for values that the type does not hold
    else:
        with np.errstate(over="ignore"):
            missing = array == array.dtype.type(value)
    missing = np.broadcast_to(missing, array.shape)
    if colour_axis is not None:
        missing = np.broadcast_to(missing.all(axis=colour_axis, keepdims=True), array.shape)
    return missing
