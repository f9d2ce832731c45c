"""Encoding and clipping of several mixtures: which curve they follow, and where they are at the end of their
range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.encoding import Transfer, may_be_photograph, transfer_of
from napari_bitsnet.core.notices import Notice

LEAST_SIZE = 64
"""Pixels a side from which on the images can tell their encoding."""
CLIPPED = 0.001
"""Fraction of pixels at the end of the range from which on they are left out of the estimate."""


def mixed_encoding(
    images: NDArray, missing: NDArray, n_sources: int, stored: np.dtype, white: float | None
) -> str | None:
    """Return ``"linear"`` or ``"srgb"``, whichever explains the mixtures significantly better, or None.

    Parameters
    ----------
    images : ndarray of shape (M, Y, X[, C])
        Registered mixtures as they are stored, finite where they are not missing.
    missing : ndarray of shape (Y, X)
        bool.
    n_sources : int
        K.
    stored, white
        As in `transfer_of`.
    """
    import torch

    from napari_bitsnet.methods.unmixing.tone_curve import better_mixed

    if min(missing.shape) < LEAST_SIZE or min(len(images), n_sources) < 2:
        return None
    try:
        transfer = transfer_of("srgb", images[:, ~missing], stored, white)
    except ValueError:  # floating values whose white is not known are no photographs
        return None
    seen = images[:, ~missing]
    filled = np.where(missing.reshape(missing.shape + (1,) * (images.ndim - 3)), seen.min(), images)
    scales = []
    for values in (filled, transfer.to_light(filled)):
        channels = values[:, None] if values.ndim == 3 else np.moveaxis(values, -1, 1)
        lowest = channels.min()
        scales.append(torch.from_numpy(((channels - lowest) / (channels.max() - lowest)).astype(np.float32)))
    valid = torch.from_numpy(~missing)[None, None] if missing.any() else None
    return better_mixed(scales[0], scales[1], n_sources, valid=valid)


def settled(
    encoding: str, images: NDArray, missing: NDArray, n_sources: int, stored: np.dtype, white: float | None
) -> tuple[Transfer, list[Notice]]:
    """Return the conversion for registered mixtures (M, Y, X[, C]), and what is to be said of it.

    With ``"auto"``, colours of 8 bits that no file declares follow the images themselves; see
    `mixed_encoding`.
    """
    if encoding != "auto":
        return transfer_of(encoding, images[:, ~missing], stored, white), []
    if not may_be_photograph(images[0], stored):
        return Transfer(), []
    if mixed_encoding(images, missing, n_sources, stored, white) != "srgb":
        return Transfer(), []
    notice = Notice(
        "encoding",
        "The mixtures add up as light and are stored with the tone curve of photographs (sRGB): with it "
        "decoded, held-out parts of the images are explained better. They were decoded, and the sources "
        "encoded again.",
        'encoding="linear" leaves the values as they are.',
    )
    return transfer_of("srgb", images[:, ~missing], stored, white), [notice]


def encoding_advice(
    transfer: Transfer,
    images: NDArray,
    missing: NDArray,
    n_sources: int,
    stored: np.dtype,
    white: float | None,
) -> list[Notice]:
    """Return a notice if the other encoding explains registered mixtures (M, Y, X[, C]), as stored,
    significantly better."""
    better = mixed_encoding(images, missing, n_sources, stored, white)
    if better is None or (better == "linear") == transfer.is_identity:
        return []
    words = {
        "linear": "values that are proportional to light",
        "srgb": "light that is stored with the tone curve of photographs (sRGB)",
    }
    return [
        Notice(
            "encoding",
            f"The mixtures look like weighted sums of {words[better]}: on that scale, held-out parts of the "
            "images are explained significantly better.",
            f'Set encoding="{better}".',
        )
    ]


def clipped_pixels(arrays: NDArray, stored: np.dtype) -> NDArray:
    """Return where one of the mixtures (M, Y, X[, C]), as stored, is at the end of its range: bool (Y, X).

    That is the largest integer, or the largest value of floating images if many pixels share it.
    """
    if np.issubdtype(stored, np.integer):
        ends = arrays >= np.iinfo(stored).max
    else:
        ends = arrays >= np.nanmax(arrays, where=np.isfinite(arrays), initial=-np.inf)
    each = ends.any(axis=-1) if ends.ndim == 4 else ends
    clipped = np.asarray(each.any(axis=0))
    return clipped if clipped.mean() >= CLIPPED else np.zeros_like(clipped)


def clipped_notice(clipped: NDArray) -> Notice:
    """Say how many pixels are left out of the estimate."""
    return Notice(
        "range",
        "{share:.1%} of the pixels are at the end of a mixture's range (clipped). They do not count for the "
        "weights; the sources are wrong there.",
        "Use shorter exposures, or mark them with a mask.",
        {"share": float(clipped.mean())},
    )
