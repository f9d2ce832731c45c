"""TIFF and BigTIFF of either byte order: plain, ImageJ, OME, GeoTIFF, with all that imagecodecs decodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io import opacity
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.encoding import COLOUR_SPACE, encoding_of_exif, encoding_of_profile
from napari_bitsnet.io.errors import UnreadableFile, decoding
from napari_bitsnet.io.exif import ORIENTATION
from napari_bitsnet.io.image_file import ImageFile, channels_doubt
from napari_bitsnet.io.orientation import valid_orientation
from napari_bitsnet.io.readers import READERS, BaseReader
from napari_bitsnet.io.tiff import colours
from napari_bitsnet.io.tiff.choice import choose, mask_of, page_of
from napari_bitsnet.io.tiff.companions import check_companions
from napari_bitsnet.io.tiff.complaints import complaints
from napari_bitsnet.io.tiff.pixel_size import invalid_size, pixel_size
from napari_bitsnet.io.tiff.segments import check_complete, check_decodable, check_numbers, is_lossy

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and BigTIFF, little and big endian
_NO_DATA = 42113  # GDAL
_ICC_PROFILE, _EXIF_TAGS = 34675, 34665


class Tiff(BaseReader):
    """See `Reader`."""

    title = "TIFF"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the byte order and the number that follows it."""
        return head[:4] in _MAGIC

    def read(self, path: Path) -> ImageFile:
        """Read the first image of full size, with its colours decoded."""
        return self._read(path)

    def _read(self, path: Path, series: int | None = None, page: int | None = None) -> ImageFile:
        with complaints() as heard, _opened(path) as tiff:
            with decoding(path):
                has_pages = len(tiff.pages) > 0
            heard.check(path)
            if not has_pages:
                raise UnreadableFile("a TIFF with an image", f"{path}, which holds none", "export it again")
            check_companions(tiff, path)
            all_series = _series(tiff, path)
            heard.check(path)
            if page is not None:
                chosen, notices = page_of(tiff, page, path), list[str]()
            else:
                chosen, notices = choose(tiff, all_series, path, series)
            colours.check_photometric(chosen.keyframe, path)
            check_decodable(chosen.keyframe, path)
            notices += check_complete(tiff, chosen, path)
            with decoding(path):
                stored = chosen.asarray()
                mask = mask_of(chosen, all_series)
                absent = None if mask is None else mask.asarray() == 0
            heard.check(path)
            told = (*notices, *heard.notices(path))
            return _as_image(stored, absent, chosen.axes, chosen.keyframe, tiff, path, told)

    def read_series(self, path: Path, number: int) -> ImageFile:
        """Read one of tifffile's series."""
        return self._read(path, series=number)

    def read_page(self, path: Path, number: int) -> ImageFile:
        """Read one page, in the order of the file; also a reduced copy."""
        return self._read(path, page=number)

    def calibration(self, path: Path) -> Calibration | None:
        """Of the image that `read` reads."""
        with complaints(), _opened(path) as tiff:
            check_companions(tiff, path)
            all_series = _series(tiff, path)
            return pixel_size(tiff, choose(tiff, all_series, path)[0].keyframe)


READERS.register("tiff")(Tiff())


def declared_axes(tiff_axes: str) -> str | None:
    """Translate tifffile's axes into ours.

    Parameters
    ----------
    tiff_axes : str
        tifffile's letters: S samples (colour), C channel, I sequence of pages, Q unknown, Z, T, …

    Returns
    -------
    str or None
        Samples become C. None where the file does not know a dimension (Q), or has two of channels.

    Examples
    --------
    >>> declared_axes("YXS")
    'YXC'
    >>> declared_axes("QYX") is None
    True
    """
    axes = tiff_axes.replace("S", "C")
    doubtful = "Q" in axes or len(set(axes)) < len(axes) or not {"Y", "X"} <= set(axes)
    return None if doubtful else axes


def _opened(path: Path) -> TiffFile:
    """Open a file; NDTiff's index is not followed, because it names other files."""
    import tifffile

    with decoding(path):
        return tifffile.TiffFile(path, is_ndtiff=False)


def _series(tiff: TiffFile, path: Path) -> list[TiffPageSeries]:
    """The images of a file, each with tags that can be read."""
    with decoding(path):
        found = list(tiff.series)
    for one in found:
        check_numbers(one.keyframe, path)
    return found


def _as_image(
    stored: NDArray,
    absent: NDArray | None,
    tiff_axes: str,
    page: TiffPage,
    tiff: TiffFile,
    path: Path,
    notices: tuple[str, ...],
) -> ImageFile:
    """Give stored values their meaning: palette and YCbCr to colours, opacity, missing values,
    orientation."""
    photometric, alpha = int(page.photometric), colours.opacity_of(page)
    samples = tiff_axes.index("S") if "S" in tiff_axes else None
    array, letters, indices = stored, tiff_axes, None
    missing = _missing(stored, samples, bool(alpha), page)
    if photometric == colours.PALETTE and samples is None:
        indices = stored.astype(np.uint8) if stored.dtype == bool else stored
        array, letters = colours.palette_colours(indices, page.colormap), tiff_axes + "S"
    elif photometric == colours.YCBCR and samples is not None:
        array = np.moveaxis(array, samples, -1)
        array = np.moveaxis(colours.rgb_of_ycbcr(array, page, path), -1, samples)
    full, whole = colours.full_scale(page), array.dtype
    if alpha and samples is not None:
        if alpha == colours.ASSOCIATED:
            array = opacity.unmultiplied(array, samples, 1.0 if full is None else full)
        if array.shape[samples] == 2:
            array = opacity.grey_without_opacity(array, samples)
            letters = letters.replace("S", "")
    for places in (missing, absent):
        if places is not None and places.any():
            array = _marked_missing(array, places, letters, bool(alpha) and "S" in letters)
    axes = declared_axes(letters)
    n_channels = (
        array.shape[letters.index("S" if "S" in letters else "C")] if {"S", "C"} & set(letters) else 3
    )
    told = list(notices)
    if size := invalid_size(tiff):
        told.append(f"{path.name} says {size}, which is no length; that pixel size is left out.")
    file = ImageFile(
        array,
        axes,
        pixel_size(tiff, page),
        path,
        tuple(told),
        doubt="" if axes is None else channels_doubt(path, array.shape, n_channels, bool(alpha)),
        indices=indices,
        lossy=is_lossy(page),
        black=full if photometric == colours.WHITE_IS_ZERO else None,
        integers=whole if whole.kind in "iu" and array.dtype.kind == "f" else None,
        encoding=encoding_of_profile(page.tags.valueof(_ICC_PROFILE)) or encoding_of_exif(_exif(page)),
    )
    orientation = valid_orientation(page.tags.valueof(ORIENTATION, 1))
    return file.upright(orientation, letters).with_stored_notice()


def _exif(page: TiffPage) -> dict[int, Any]:
    """EXIF's colour space, which tifffile gives by its name; nothing where there is none."""
    tags = page.tags.valueof(_EXIF_TAGS)
    return {COLOUR_SPACE: tags["ColorSpace"]} if isinstance(tags, dict) and "ColorSpace" in tags else {}


def _missing(stored: NDArray, samples: int | None, alpha: bool, page: TiffPage) -> NDArray | None:
    """Where GDAL's value for missing pixels is stored, among the samples that are no opacity."""
    text = page.tags.valueof(_NO_DATA)
    if not isinstance(text, str):
        return None
    values = stored
    if alpha and samples is not None:
        values = np.take(stored, range(stored.shape[samples] - 1), axis=samples)
    is_colour = samples is not None and int(page.photometric) in (colours.RGB, colours.YCBCR)
    missing = opacity.equals_no_data(values, text, samples if is_colour or alpha else None)
    return np.asarray(missing.any(axis=samples)) if is_colour or (alpha and samples is not None) else missing


def _marked_missing(array: NDArray, missing: NDArray, letters: str, alpha: bool) -> NDArray:
    """Put NaN, or no opacity where there is a channel of it, into missing pixels."""
    samples = letters.index("S") if "S" in letters else None
    if samples is None or missing.ndim == array.ndim:
        return opacity.without(array, missing)
    if alpha:
        out = np.moveaxis(array.copy(), samples, -1)
        out[missing, -1] = 0
        return np.moveaxis(out, -1, samples)
    spread = np.broadcast_to(np.expand_dims(missing, samples), array.shape)
    return opacity.without(array, spread)
