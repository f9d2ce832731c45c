"""JPEG of 8 and 12 bits, with EXIF's orientation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration, from_tags
from napari_bitsnet.io.encoding import encoding_of_exif, encoding_of_profile
from napari_bitsnet.io.errors import decoding
from napari_bitsnet.io.exif import ORIENTATION, exif_pixel_size, exif_tags
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.orientation import valid_orientation
from napari_bitsnet.io.readers import READERS, BaseReader

_JFIF_UNITS = {1: 2, 2: 3}  # dots per inch and per centimetre, as TIFF's ResolutionUnit numbers them


class Jpeg(BaseReader):
    """See `Reader`."""

    title = "JPEG"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the marker at the start."""
        return head.startswith(b"\xff\xd8\xff")

    def read(self, path: Path) -> ImageFile:
        """Read grey values or RGB; inks (CMYK) are turned into RGB with a notice."""
        notices: tuple[str, ...] = ()
        info: Mapping[Any, Any] = {}
        with decoding(path):
            if _bits(path.read_bytes()) == 8:
                array, mode, info = _by_pillow(path)
            else:
                array, mode = _by_imagecodecs(path), ""
        if mode == "CMYK":
            notices = (
                f"{path.name} holds printing inks (CMYK); they are turned into RGB without a colour profile.",
            )
        tags = exif_tags(info["exif"]) if "exif" in info else {}
        file = ImageFile(
            array,
            "YX" if array.ndim == 2 else "YXC",
            _pixel_size(info, tags),
            path,
            notices,
            lossy=True,
            encoding=encoding_of_profile(info.get("icc_profile")) or encoding_of_exif(tags),
        )
        return file.upright(valid_orientation(tags.get(ORIENTATION)), str(file.axes))

    def calibration(self, path: Path) -> Calibration | None:
        """From JFIF's header, else from EXIF."""
        with decoding(path):
            info = _by_pillow(path, pixels=False)[2]
        return _pixel_size(info, exif_tags(info["exif"]) if "exif" in info else {})


READERS.register("jpeg")(Jpeg())


def _by_pillow(path: Path, *, pixels: bool = True) -> tuple[NDArray[Any], str, Mapping[Any, Any]]:
    """Return pixels, mode and metadata."""
    from PIL.JpegImagePlugin import JpegImageFile

    with JpegImageFile(path) as image:  # not Image.open, which refuses large ones
        if not pixels:
            return np.empty((0, 0)), image.mode, image.info
        rgb = image if image.mode in ("L", "RGB") else image.convert("RGB")
        return np.asarray(rgb), image.mode, image.info


def _by_imagecodecs(path: Path) -> NDArray:
    import imagecodecs

    return imagecodecs.jpeg_decode(path.read_bytes())


def _bits(contents: bytes) -> int:
    """Bits of a sample, from the frame header; 8 where there is none that can be found."""
    at = 2
    while at + 9 < len(contents) and contents[at] == 0xFF:
        marker = contents[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return contents[at + 4]
        at += 2 + int.from_bytes(contents[at + 2 : at + 4], "big")
    return 8


def _pixel_size(info: Mapping[Any, Any], tags: Mapping[int, Any]) -> Calibration | None:
    """What the file itself says; Pillow's ``dpi`` is 72 where it says nothing."""
    unit = _JFIF_UNITS.get(info.get("jfif_unit", 0))
    if unit is not None:
        x, y = info["jfif_density"]
        return from_tags(float(x), float(y), unit)
    return exif_pixel_size(tags)
