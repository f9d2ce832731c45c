"""Whether a TIFF can be decoded, and whether all of its pixels are in the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_bitsnet.io.errors import DamagedFile, UnreadableFile

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

_JPEG = (6, 7, 33007, 34892)  # compressions that change values


def is_lossy(page: TiffPage) -> bool:
    """Whether the compression changed values for certain."""
    return int(page.compression) in _JPEG


def check_numbers(page: TiffPage, path: Path) -> None:
    """See that those tags are whole numbers that say how the pixels are stored.

    Raises
    ------
    DamagedFile
        If one is of another type, as in a file with changed bytes.
    """
    for name in (
        "photometric",
        "compression",
        "predictor",
        "samplesperpixel",
        "bitspersample",
        "sampleformat",
    ):
        _check_number(getattr(page, name), name, path)
    for kind in page.extrasamples:
        _check_number(kind, "extrasamples", path)
    for code in ("NewSubfileType", "SubfileType"):
        _check_number(page.tags.valueof(code, 0), code, path)


def _check_number(value: object, name: str, path: Path) -> None:
    if not isinstance(value, int):
        raise DamagedFile(path, f"the tag {name} is {value!r}")


def check_decodable(page: TiffPage, path: Path) -> None:
    """See that there is a decoder for a page.

    Raises
    ------
    UnreadableFile
        If its compression, predictor or type of numbers is none that is known.
    """
    from tifffile import TIFF

    advice = "save it as TIFF without compression, or with LZW, deflate or ZSTD"
    compression = page.compression
    if compression not in TIFF.DECOMPRESSORS:
        name = f"{getattr(compression, 'name', 'number')} ({int(compression)})"
        raise UnreadableFile("a known compression", f"{path} with {name}", advice)
    if page.predictor not in TIFF.UNPREDICTORS and compression not in TIFF.IMAGE_COMPRESSIONS:
        raise UnreadableFile("a known predictor", f"{path} with number {int(page.predictor)}", advice)
    if not page.shape or 0 in page.shape:
        raise UnreadableFile("a TIFF with an image", f"{path}, which holds none", "export it again")
    bits = page.bitspersample
    if page.dtype is None:
        raise UnreadableFile(
            "pixels of 1 to 64 bits, integer or floating",
            f"{path} with {bits} bits, sample format {int(page.sampleformat)}",
            "save it with 8, 16 or 32 bits",
        )
    if page.is_subsampled and compression not in _JPEG:
        raise UnreadableFile(
            "colours at every pixel", f"{path}, whose colours are subsampled (YCbCr)", "convert it to RGB"
        )


def check_complete(tiff: TiffFile, series: TiffPageSeries, path: Path) -> tuple[str, ...]:
    """See that all strips and tiles lie inside their files, and say how many were left empty.

    Raises
    ------
    DamagedFile
        If the file ends before them, or a page is missing.
    """
    empty = count = 0
    for number, page in enumerate(series.pages, 1):
        if page is None:
            raise DamagedFile(path, f"page {number} of {len(series.pages)} is missing")
        size = page.parent.filehandle.size
        for offset, length in zip(page.dataoffsets, page.databytecounts, strict=False):
            count += 1
            empty += length == 0
            if offset + length > size:
                raise DamagedFile(
                    path, f"page {number} needs {offset + length} bytes, and the file has {size}"
                )
    if series.dataoffset is not None and series.dataoffset + series.nbytes > tiff.filehandle.size:
        raise DamagedFile(
            path, f"needs {series.dataoffset + series.nbytes} bytes, and the file has {tiff.filehandle.size}"
        )
    if not empty:
        return ()
    return (
        f"{path.name} leaves {empty} of {count} strips or tiles empty; they are read as missing or zero.",
    )
