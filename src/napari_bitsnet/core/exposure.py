"""Convert a detector's grey levels to optical density, with flat and dark frames, I0 and unusable pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bitsnet.core.aliases import takes_former_names
from napari_bitsnet.core.images import check_image
from napari_bitsnet.core.notices import Notice

DEPTHS = (10, 12, 14)
"""Bit depths of detectors whose images are stored as 16-bit; their largest value counts as saturated if it is
the image's maximum."""


@dataclass(frozen=True)
class Exposure:
    """Image as intensities, with masks of the pixels that have no density.

    Parameters
    ----------
    intensity : ndarray of shape (Y, X) or (Y, X, C)
        float64, in the image's units, corrected by the dark and the flat frame.
    i0 : float
        I0, the intensity without an object, in the same units.
    dark, saturated : ndarray of shape (Y, X)
        bool: pixels without signal, and saturated pixels.
    """

    intensity: NDArray
    i0: float
    dark: NDArray
    saturated: NDArray

    @property
    def density(self) -> NDArray:
        """Return ``-log(I / I0)``, natural logarithm; NaN for dark and saturated pixels."""
        with np.errstate(divide="ignore", invalid="ignore"):
            density = np.log(self.i0) - np.log(self.intensity)
        density[self.dark | self.saturated] = np.nan
        return density

    def notices(self) -> list[Notice]:
        """Return a notice about pixels without a density, if there are any."""
        counts = {"dark": int(self.dark.sum()), "saturated": int(self.saturated.sum())}
        words = {
            "dark": "{dark} without signal (zero, or not above the dark frame)",
            "saturated": "{saturated} saturated",
        }
        parts = [words[name] for name, count in counts.items() if count]
        if not parts:
            return []
        share = float((self.dark | self.saturated).mean())
        return [
            Notice(
                "range",
                "{share:.2%} of the pixels carry no optical density and are left out (NaN in the results): "
                f"{' and '.join(parts)}.",
                numbers={"share": share, **counts},
            )
        ]


def expose(
    image: NDArray,
    *,
    flat: NDArray | None = None,
    dark: NDArray | None = None,
    i0: float | None = None,
    percentile: float = 99.5,
    stored: np.dtype | None = None,
) -> Exposure:
    """Convert grey levels to intensities.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C)
        Raw image of the detector. A fourth channel is opacity: it is removed, and pixels with opacity 0 are
        dark.
    flat : ndarray of shape (Y, X), optional
        Flat frame: the beam without an object, for the correction ``(I - dark) / (flat - dark)``.
    dark : ndarray of shape (Y, X), optional
        Dark frame: the detector without a beam.
    i0 : float, optional
        I0 in the image's grey levels, minus the dark frame. By default the mean of the flat frame, or a
        percentile.
    percentile : float
        Percentile of the finite intensities that gives I0 without `flat` and `i0`.
    stored : dtype, optional
        Stored type of an integer image that was converted to float to hold missing pixels (NaN).

    Returns
    -------
    Exposure

    Raises
    ------
    ValueError
        If a frame has another size, the flat frame is nowhere above the dark one, or I0 is not positive.

    Notes
    -----
    Integers at the upper end of their range are saturated, and in a 16-bit image the pixels at the largest
    value of one of `DEPTHS` if it is the image's maximum.
    """
    clear = np.zeros(image.shape[:2], bool)
    if image.ndim == 3 and image.shape[-1] == 4:
        clear, image = image[..., 3] == 0, image[..., :3]
    for frame, what in ((flat, "flat"), (dark, "dark")):
        if frame is not None and frame.shape != image.shape[:2]:
            raise ValueError(
                f"Expected a {what} frame of {image.shape[:2]} pixels in grey, as the image, got "
                f"{frame.shape}: take it with the same detector and settings, and crop it alike."
            )
    end = _end(image, image.dtype if stored is None else stored)
    saturated = np.zeros(image.shape[:2], bool) if end is None else _any_channel(image >= end)
    intensity = image.astype(np.float64)
    offset = 0.0 if dark is None else _spread(dark, image)
    intensity -= offset
    if flat is not None:
        beam = _spread(flat, image) - offset
        if not (beam > 0).any():
            raise ValueError(
                "Expected a flat frame brighter than the dark frame, got none: check that they are not "
                "exchanged."
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            intensity *= np.where(beam > 0, beam[beam > 0].mean() / beam, np.nan)
        i0 = float(beam[beam > 0].mean()) if i0 is None else float(i0)
    else:
        finite = intensity[np.isfinite(intensity)]
        i0 = float(np.percentile(finite, percentile)) if i0 is None else float(i0)
    if i0 <= 0:
        raise ValueError(f"Expected a positive intensity without an object (i0), got {i0:g}.")
    return Exposure(intensity, i0, (_any_channel(~(intensity > 0)) & ~saturated) | clear, saturated)


@takes_former_names
def intensity_to_density(
    image: ArrayLike,
    *,
    flat: ArrayLike | None = None,
    dark: ArrayLike | None = None,
    i0: float | None = None,
    percentile: float = 99.5,
) -> NDArray:
    """Return the optical density ``-log(I / I0)``, in which attenuating layers add.

    Parameters
    ----------
    image : array of shape (Y, X) or (Y, X, 3 or 4)
        Raw intensities of the detector, bright where transmission is high; a fourth channel is opacity.
    flat : array of shape (Y, X), optional
        Flat frame: the beam without an object, by which the image is divided.
    dark : array of shape (Y, X), optional
        Dark frame: the detector without a beam, which is subtracted from image and flat frame.
    i0 : float, optional
        I0, the intensity without an object, in the image's grey levels minus the dark frame. By default the
        flat frame's mean, or the percentile.
    percentile : float
        Percentile of the intensities that gives I0 without `flat` and `i0`. Images to be compared need the
        same flat frame or the same I0.

    Returns
    -------
    ndarray of shape (Y, X) or (Y, X, 3)
        float64, natural logarithm; NaN where a pixel is dark or saturated.

    Raises
    ------
    TypeError, ValueError
        If the image is no plane of real numbers, a frame has another size, or I0 is not positive.

    Examples
    --------
    >>> intensity_to_density([[100.0, 36.8], [13.5, 5.0]], i0=100).round(1).tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    image = check_image(image)
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[-1] in (1, 3, 4)):
        raise ValueError(
            f"Expected an image (Y, X) or (Y, X, 3 or 4), got shape {image.shape}: take a stack slice by "
            "slice, with one i0 for all."
        )
    frames = [None if frame is None else np.asarray(frame) for frame in (flat, dark)]
    return expose(image, flat=frames[0], dark=frames[1], i0=i0, percentile=percentile).density


def _end(image: NDArray, stored: np.dtype) -> int | None:
    """Return the value at which the detector saturates, None if it is unknown."""
    if not np.issubdtype(stored, np.integer):
        return None
    largest = int(np.nanmax(image))
    shallow = [2**bits - 1 for bits in DEPTHS if np.iinfo(stored).bits >= 16]
    return largest if largest in shallow else int(np.iinfo(stored).max)


def _any_channel(mask: NDArray) -> NDArray:
    return np.asarray(mask.any(axis=-1)) if mask.ndim == 3 else mask


def _spread(frame: NDArray, image: NDArray) -> NDArray:
    frame = frame.astype(np.float64)
    return frame[..., None] if image.ndim == 3 else frame
