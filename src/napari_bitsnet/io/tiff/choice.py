"""Which of a TIFF's images is the image: never a thumbnail, and no camera's raw file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bitsnet.io.errors import UnreadableFile, decoding

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2  # SubfileType
_CFA, _LINEAR_RAW = 32803, 34892  # photometric interpretations of sensors' values
DNG_VERSION = 50706
_CR2 = b"CR"


def choose(
    tiff: TiffFile, series: Sequence[TiffPageSeries], path: Path, number: int | None = None
) -> tuple[TiffPageSeries, list[str]]:
    """Return image `number`, or the first of full size with what to say about the others.

    Raises
    ------
    UnreadableFile
        If there is none, or none of that number, or if it is a camera's raw file: its values are those of a
        mosaic of colour filters.
    """
    if not series:
        raise UnreadableFile("a TIFF with an image", f"{path}, which holds none", "export it again")
    if _is_camera_raw(tiff, series, path):
        raise UnreadableFile(
            "a developed image",
            f"{path}, a camera's raw file",
            "develop it with the camera's program or darktable, and save it as TIFF with 16 bits",
        )
    if number is not None:
        if number >= len(series):
            raise UnreadableFile(
                f"a series from 0 to {len(series) - 1}", f"series {number} of {path}", "choose another"
            )
        return series[number], []
    whole = [one for one in series if not _is_extra(one.keyframe)]
    if not whole:  # overviews that were saved by themselves
        whole = sorted(series, key=lambda one: -one.size)[:1]
    chosen = whole[0]
    notices = []
    if len(whole) > 1:
        largest = max(whole, key=lambda one: one.size)
        size = "x".join(str(n) for n in chosen.shape)
        more = "" if largest.size == chosen.size else f" ({size}), which is not the largest"
        notices.append(f"{path.name} holds {len(whole)} images, of which the first is read{more}.")
    if chosen is not series[0]:
        notices.append(f"{path.name} begins with a reduced copy, which is left out.")
    return chosen, notices


def page_of(tiff: TiffFile, number: int, path: Path) -> TiffPageSeries:
    """Return one page of a file as an image of its own.

    Raises
    ------
    UnreadableFile
        If there is none of that number, or it is a camera's.
    """
    from tifffile import TiffPageSeries

    count = len(tiff.pages)
    if number >= count:
        raise UnreadableFile(f"a page from 0 to {count - 1}", f"page {number} of {path}", "choose another")
    with decoding(path):
        page = tiff.pages[number].aspage()
    one = TiffPageSeries([page], page.shape, page.dtype, page.axes)
    choose(tiff, [one], path)  # refuses raw files
    return one


def mask_of(chosen: TiffPageSeries, series: Sequence[TiffPageSeries]) -> TiffPageSeries | None:
    """Return the mask of a single page, as GDAL writes it for missing pixels: 0 where there is none; None
    without."""
    if len(chosen.pages) != 1:
        return None
    size = chosen.keyframe.imagelength, chosen.keyframe.imagewidth
    for one in series:
        kind = int(one.keyframe.tags.valueof("NewSubfileType", 0))
        if one is not chosen and kind & _MASK and not kind & _REDUCED and one.shape == size:
            return one
    return None


def _is_extra(page: TiffPage) -> bool:
    kind = int(page.tags.valueof("NewSubfileType", 0))
    return bool(kind & (_REDUCED | _MASK)) or page.tags.valueof("SubfileType") == _OLD_REDUCED


def _is_camera_raw(tiff: TiffFile, series: Sequence[TiffPageSeries], path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(10)[8:] == _CR2:
            return True
    photometrics = {int(one.keyframe.photometric) for one in series}
    return DNG_VERSION in tiff.pages.first.tags or bool(photometrics & {_CFA, _LINEAR_RAW})
