"""Arrays to tensors and back: axes, data types, ranges, missing pixels.

One affine map an image takes its finite minimum and maximum (or the range that was given) to [0, 1]; shares
of a mixture go back with ``(hi - lo) * share + lo / K``, so that they add up to the mixture in its own units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bitsnet.core.arrays import as_array
from napari_bitsnet.core.operators.nearest import nearest_valid

if TYPE_CHECKING:
    from torch import Tensor


AT_ONCE = 2**20
"""Pixels that are held in float64 at a time."""


ENOUGH_SHOWN = 0.98
"""Part of an image from which on what a guide does not show is a border, and nothing to mend."""


LARGEST, LEAST_CONTRAST = 1e30, 1e-30
"""Largest size of values, and smallest difference between them, with which sums of squares stay within
float64 and results within float32."""


LOOKED_AT, BAND = 2**20, 16
"""Pixels of a large image that statistics look at, in bands of so many rows."""


@dataclass(frozen=True)
class Scaling:
    """What `restore` needs to undo `normalise`.

    Parameters
    ----------
    lo, hi : float
        The values, in the image's own units, that became 0 and 1.
    has_channels : bool
        Whether the array was (Y, X, C) rather than (Y, X).
    """

    lo: float = 0.0
    hi: float = 1.0
    has_channels: bool = False

    @property
    def span(self) -> float:
        """Own units per unit of the [0, 1] scale."""
        return self.hi - self.lo


@dataclass(frozen=True)
class Normalised:
    """A plane made ready: ``tensor`` (1, C, H, W), ``valid`` (1, 1, H, W) bool or None if all are,
    ``scaling``."""

    tensor: Tensor
    valid: Tensor | None
    scaling: Scaling


def plane_axes(shape: tuple[int, ...], axes: str | None) -> str:
    """Return the declared axes, or the default where there is no doubt.

    Parameters
    ----------
    shape : tuple of int
        Shape of the whole array.
    axes : str or None
        One letter a dimension: Y, X, C (channels) and any others (Z, T, …) for stacks.

    Raises
    ------
    ValueError
        If the axes do not fit the shape, or are missing where the shape leaves a doubt.
    """
    if axes is None:
        if len(shape) == 2:
            return "YX"
        if len(shape) == 3 and shape[-1] in (3, 4):
            return "YXC"
        raise ValueError(
            f"Expected an image (Y, X) or (Y, X, 3 or 4), got shape {shape}: say what its dimensions are, "
            'for example axes="ZYX" or axes="TYXC".'
        )
    axes = axes.upper()
    if len(axes) != len(shape) or len(set(axes)) != len(axes) or not {"Y", "X"} <= set(axes):
        raise ValueError(
            f"Expected one different letter a dimension with Y and X among them, got axes={axes!r} "
            f"for shape {shape}."
        )
    return axes


def check_image(array: ArrayLike, what: str = "the image") -> NDArray:
    """Return `array` as an ndarray, or say what is wrong with it before any long work.

    Raises
    ------
    TypeError
        If it is complex, boolean or not numeric.
    ValueError
        If it is empty, has no finite value, or values that are too large to be worked with.
    """
    array = as_array(array, what)
    if array.dtype == bool:
        raise TypeError(f"Expected numbers, got booleans for {what}: a mask is not an image.")
    if np.iscomplexobj(array):
        raise TypeError(f"Expected real numbers, got {array.dtype} for {what}: take its magnitude first.")
    if array.dtype.kind not in "iuf":  # durations count as integers to NumPy
        raise TypeError(f"Expected numbers, got {array.dtype} for {what}.")
    if array.size == 0:
        raise ValueError(f"Expected pixels, got an empty array of shape {array.shape} for {what}.")
    finite = np.isfinite(array)
    if not finite.any():
        raise ValueError(f"Expected finite values, got only NaN or infinite ones for {what}.")
    if array.dtype.kind == "f":
        largest = max(
            float(np.max(array, where=finite, initial=0)), -float(np.min(array, where=finite, initial=0))
        )
        if largest > LARGEST:
            raise ValueError(
                f"Expected values of at most {LARGEST:g} in size, got {largest:g} in {what}: divide it by a "
                "constant, or mark such pixels as missing (NaN)."
            )
    return array


def check_contrast(lo: float, hi: float, what: str = "the image") -> None:
    """Raise a ValueError if values that are not all the same differ by too little to be worked with."""
    if 0 < hi - lo < LEAST_CONTRAST:
        raise ValueError(
            f"Expected values that differ by at least {LEAST_CONTRAST:g}, got {hi - lo:g} in {what}: "
            "multiply it by a constant."
        )


def without_opacity(array: ArrayLike) -> NDArray:
    """Return (Y, X[, C]) without a fourth channel, which is opacity and no part of the image; a view."""
    array = as_array(array)
    return array[..., :3] if array.ndim == 3 else array


def normalise(
    array: ArrayLike,
    *,
    lo: float | None = None,
    hi: float | None = None,
    mask: ArrayLike | None = None,
    what: str = "the image",
) -> Normalised:
    """Turn one plane into a float32 tensor in [0, 1].

    Parameters
    ----------
    array : array of shape (Y, X) or (Y, X, C)
        Any real type, any range. Of four channels the last is opacity: it is dropped, and pixels where it
        is zero count as missing.
    lo, hi : float, optional
        Values that become 0 and 1; default the smallest and largest finite value. What lies outside
        is clipped.
    mask : array of shape (Y, X), optional
        True where pixels are to be left out.
    what : str
        What the image is, for error messages.

    Returns
    -------
    Normalised
        Missing pixels (masked, NaN, infinite) carry the nearest valid pixel's value in `tensor` and
        False in `valid`.

    Raises
    ------
    TypeError, ValueError
        If the image cannot be worked on: see `check_image`; also one pixel, a constant, channels other
        than 1, 3 or 4, a mask of another shape.
    """
    import torch

    array = check_image(array, what)
    if array.ndim not in (2, 3):
        raise ValueError(f"Expected one plane (Y, X) or (Y, X, C), got shape {array.shape} for {what}.")
    channels_first = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    count, height, width = channels_first.shape
    if count not in (1, 3, 4):
        raise ValueError(f"Expected 1, 3 or 4 channels, got {count} for {what}.")
    if height < 2 or width < 2:
        raise ValueError(f"Expected at least 2 x 2 pixels, got {height} x {width} for {what}.")

    missing = np.zeros((height, width), dtype=bool)
    for plane in channels_first if np.issubdtype(array.dtype, np.floating) else ():
        missing |= ~np.isfinite(plane)
    if count == 4:
        missing |= channels_first[3] == 0
    planes = channels_first[:3]
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != (height, width):
            raise ValueError(
                f"Expected a mask of shape {(height, width)}, got {mask.shape}: one value for each of the "
                "image's pixels."
            )
        missing |= mask.astype(bool)
    if missing.all():
        raise ValueError(
            f"Expected valid pixels, got none left after masking in {what}: a mask marks what is to be left "
            "out."
        )

    holes = bool(missing.any())
    seen = [plane[~missing] if holes else plane for plane in planes]
    smallest, largest = float(min(p.min() for p in seen)), float(max(p.max() for p in seen))
    lo = smallest if lo is None else float(lo)
    hi = largest if hi is None else float(hi)
    if not hi > lo and smallest < largest:
        raise ValueError(f"Expected values for 0 and 1 in rising order, got {lo:g} and {hi:g} for {what}.")
    if not hi > lo:
        raise ValueError(
            f"Expected an image with contrast, got the same value ({lo:g}) everywhere in {what}: "
            "there is nothing to separate."
        )
    check_contrast(lo, hi, what)
    if holes:
        nearest = nearest_valid(missing)
    scaled = np.empty(planes.shape, dtype=np.float32)
    for k, plane in enumerate(planes):  # one at a time: float64 of a large colour image would fill the memory
        filled = plane[nearest] if holes else plane
        values = filled.astype(np.float64)
        values -= lo
        values /= hi - lo
        scaled[k] = np.clip(values, 0.0, 1.0, out=values)
    valid = torch.from_numpy(~missing)[None, None] if holes else None
    return Normalised(torch.from_numpy(scaled)[None], valid, Scaling(lo, hi, array.ndim == 3))


def restore(tensor: Tensor, scaling: Scaling, *, share_of: int = 1, valid: Tensor | None = None) -> NDArray:
    """Bring images on the [0, 1] scale back to the units and layout that `normalise` took them from.

    Parameters
    ----------
    tensor : Tensor of shape (N, C, H, W)
        Whole images (``share_of=1``) or shares of a mixture of ``share_of`` sources.
    scaling : Scaling
        From `normalise`.
    share_of : int
        K: the offset `lo` is split evenly, ``(hi - lo) * share + lo / K``.
    valid : Tensor of shape (1, 1, H, W), optional
        False where the result is NaN.

    Returns
    -------
    ndarray of shape (N, Y, X) or (N, Y, X, C), float32
    """
    n, channels, height, width = tensor.shape
    layout = (n, height, width, channels) if scaling.has_channels else (n, height, width)
    images = np.empty(layout, dtype=np.float32)
    missing = None if valid is None else ~valid[0, 0].cpu().numpy()
    step = max(1, AT_ONCE // width)
    for k in range(n):
        for c in range(channels):
            target = images[k, ..., c] if scaling.has_channels else images[k]
            for top in range(
                0, height, step
            ):  # few rows at a time: float64 of a large image would fill the memory
                rows = slice(top, top + step)
                values = tensor[k, c, rows].detach().cpu().numpy().astype(np.float64)
                values *= scaling.span
                values += scaling.lo / share_of
                if missing is not None:
                    values[missing[rows]] = np.nan
                target[rows] = values
    return images


def bands(image: NDArray) -> NDArray:
    """Return evenly spaced bands of rows of a large image, `LOOKED_AT` pixels together; a small one as it
    is."""
    wanted = max(1, LOOKED_AT // (BAND * image.shape[1]))
    if wanted * BAND >= image.shape[0]:
        return image
    tops = np.linspace(0, image.shape[0] - BAND, wanted).round().astype(int)
    return np.concatenate([image[top : top + BAND] for top in tops])
