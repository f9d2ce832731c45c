"""Photometric interpretation: what the numbers of a TIFF's pixels mean. What is not listed here is
refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.errors import UnreadableFile
from napari_bitsnet.io.tiff.segments import is_lossy

if TYPE_CHECKING:
    from tifffile import TiffPage

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, YCBCR = 0, 1, 2, 3, 4, 6
_GREY = (WHITE_IS_ZERO, BLACK_IS_ZERO, MASK)
_COLOURS = (RGB, YCBCR)
ASSOCIATED, UNASSOCIATED = 1, 2  # ExtraSamples that are opacity
_LUMA = (0.299, 0.587, 0.114)  # TIFF 6.0, default of YCbCrCoefficients
_BLACK_WHITE = (
    0.0,
    255.0,
    128.0,
    255.0,
    128.0,
    255.0,
)  # of ReferenceBlackWhite for YCbCr of 8 bits, full range


def check_photometric(page: TiffPage, path: Path) -> None:
    """See that values are brightness, colours or indices into a palette.

    Raises
    ------
    UnreadableFile
        Naming the colour space of a page that is of another.
    """
    known = int(page.photometric)
    if known not in (*_GREY, *_COLOURS, PALETTE):
        name = getattr(page.photometric, "name", f"photometric interpretation {known}")
        raise UnreadableFile(
            "grey values or RGB", path, f"convert it to RGB or grey (its colours are {name})"
        )
    if known == PALETTE and page.colormap is None:
        raise UnreadableFile("a palette with its colours", f"{path} without them", "save it as RGB or grey")


def opacity_of(page: TiffPage) -> int:
    """Return which ExtraSamples a single sample beside the colours is: 1 or 2 for opacity, 0 if it is
    none."""
    n_colours = 3 if int(page.photometric) in _COLOURS else 1
    extra = tuple(int(kind) for kind in page.extrasamples)
    is_opacity = (
        page.samplesperpixel == n_colours + 1 and len(extra) == 1 and extra[0] in (ASSOCIATED, UNASSOCIATED)
    )
    return extra[0] if is_opacity else 0


def full_scale(page: TiffPage) -> int | None:
    """Return the largest value of the page's bits; None of signed and floating ones, which have none."""
    return 2 ** int(page.bitspersample) - 1 if page.dtype is not None and page.dtype.kind in "ub" else None


def palette_colours(indices: NDArray, colormap: NDArray | None) -> NDArray:
    """Return the colours (…, 3) of indices; 8 bits where the palette (3, N) of 16 bits says no more."""
    table = np.asarray(colormap).T
    if (table % 257 == 0).all() or (table % 256 == 0).all():
        table = (table >> 8).astype(np.uint8)
    elif table.max() < 256:  # written by programs that took the palette for one of 8 bits
        table = table.astype(np.uint8)
    return table[indices]


def rgb_of_ycbcr(stored: NDArray, page: TiffPage, path: Path) -> NDArray:
    """Return RGB of what a page stores as luminance and colour differences, the last axis.

    JPEG decoders have done so already.

    Raises
    ------
    UnreadableFile
        If it has other than 8 bits.
    """
    if is_lossy(page):
        return stored
    if stored.dtype != np.uint8 or stored.shape[-1] != 3:
        raise UnreadableFile("YCbCr colours of 8 bits", f"{path} of {stored.dtype}", "convert it to RGB")
    red, green, blue = _rationals(page.tags.valueof(529), _LUMA)
    black_y, white_y, black_b, white_b, black_r, white_r = _rationals(page.tags.valueof(532), _BLACK_WHITE)
    luma = (stored[..., 0].astype(np.float32) - black_y) * (255 / (white_y - black_y))
    cb = (stored[..., 1].astype(np.float32) - black_b) * (127 / (white_b - black_b))
    cr = (stored[..., 2].astype(np.float32) - black_r) * (127 / (white_r - black_r))
    out = np.empty(stored.shape, np.uint8)
    r, b = cr * (2 - 2 * red) + luma, cb * (2 - 2 * blue) + luma
    g = (luma - blue * b - red * r) / green
    for channel, values in enumerate((r, g, b)):
        out[..., channel] = np.clip(np.rint(values), 0, 255)
    return out


def _rationals(value: tuple[int, ...] | None, default: tuple[float, ...]) -> tuple[float, ...]:
    """Return a tag of rationals, or of floats, as numbers; the default where it is missing or broken."""
    if value is None:
        return default
    numbers = tuple(float(v) for v in value)
    if len(numbers) == 2 * len(default):
        if not all(numbers[1::2]):
            return default
        numbers = tuple(n / d for n, d in zip(numbers[::2], numbers[1::2], strict=True))
    return numbers if len(numbers) == len(default) else default
