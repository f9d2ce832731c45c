"""PNG of 1 to 16 bits: grey, colours, palettes, with opacity or without."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration, from_tags
from napari_bitsnet.io.encoding import encoding_of_png
from napari_bitsnet.io.errors import decoding
from napari_bitsnet.io.exif import ORIENTATION, exif_tags
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.opacity import grey_without_opacity
from napari_bitsnet.io.orientation import valid_orientation
from napari_bitsnet.io.readers import READERS, BaseReader

_MAGIC = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3  # colour types
_PER_METRE = 1
_CENTIMETRE_TAG = 3


class Png(BaseReader):
    """See `Reader`."""

    title = "PNG"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the signature."""
        return head.startswith(_MAGIC)

    def read(self, path: Path) -> ImageFile:
        """Read all bits; grey with opacity becomes grey with NaN where there is none."""
        import imagecodecs

        with decoding(path):
            contents = path.read_bytes()
            chunks = _chunks(contents)
            depth, colour_type = chunks["IHDR"][8], chunks["IHDR"][9]
            array = imagecodecs.png_decode(contents)
        indices = _indices(path) if colour_type == _PALETTE else None
        if (
            colour_type == _GREY and depth < 8
        ):  # the decoder spreads them over 8 bits: labels would be other ones
            array = array // (255 // (2**depth - 1))
            array = array.astype(bool) if depth == 1 else array
        stored = array.dtype
        if array.ndim == 3 and array.shape[-1] == 2:
            array = grey_without_opacity(array, 2)
        file = ImageFile(
            array,
            "YX" if array.ndim == 2 else "YXC",
            _pixel_size(chunks),
            path,
            indices=indices,
            integers=None if array.dtype == stored else stored,
            encoding=encoding_of_png(chunks),
        )
        if "acTL" in chunks:
            file = replace(file, notices=(f"{path.name} is animated; its first image is read.",))
        return file.upright(_orientation(chunks), str(file.axes))

    def calibration(self, path: Path) -> Calibration | None:
        """From the pHYs chunk."""
        with decoding(path):
            chunks = _chunks(path.read_bytes())
        return _pixel_size(chunks)


READERS.register("png")(Png())


def _chunks(contents: bytes) -> dict[str, bytes]:
    """The first chunk of each name, but the pixels."""
    found: dict[str, bytes] = {}
    at = len(_MAGIC)
    while at + 8 <= len(contents):
        (length,) = struct.unpack_from(">I", contents, at)
        name = contents[at + 4 : at + 8].decode("latin-1")
        if name not in found:
            found[name] = b"" if name == "IDAT" else contents[at + 8 : at + 8 + length]
        at += length + 12
    return found


def _indices(path: Path) -> NDArray:
    """What a palette image stores."""
    from PIL.PngImagePlugin import PngImageFile

    with decoding(path), PngImageFile(path) as image:  # not Image.open, which refuses large ones
        return np.asarray(image)


def _pixel_size(chunks: dict[str, bytes]) -> Calibration | None:
    stated = chunks.get("pHYs", b"")
    if len(stated) != 9 or stated[8] != _PER_METRE:
        return None
    x, y = struct.unpack(">II", stated[:8])
    found = from_tags(x / 100, y / 100, _CENTIMETRE_TAG)
    # what programs set in dots per inch, rounded to whole dots per metre
    return None if found is None else Calibration((x * 0.0254, y * 0.0254), "inch")


def _orientation(chunks: dict[str, bytes]) -> int:
    return valid_orientation(exif_tags(chunks["eXIf"]).get(ORIENTATION)) if "eXIf" in chunks else 1
