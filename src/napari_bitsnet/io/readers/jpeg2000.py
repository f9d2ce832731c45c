"""JPEG 2000 of 1 to 16 bits a channel, with its boxes (JP2) or without."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from napari_bitsnet.io.calibration import Calibration, from_tags
from napari_bitsnet.io.errors import UnreadableFile, decoding
from napari_bitsnet.io.image_file import ImageFile, channels_doubt
from napari_bitsnet.io.opacity import grey_without_opacity, unmultiplied
from napari_bitsnet.io.readers import READERS, BaseReader

_BOXES = (b"\x00\x00\x00\x0cjP  ", b"\x00\x00\x00\x0cjp2c")
_CODESTREAM = b"\xff\x4f\xff\x51"
_CODING_STYLE = b"\xff\x52"
_FOLDERS = (b"jp2h", b"res ")  # boxes of boxes
_OPACITY, _ASSOCIATED = 1, 2  # types of channels
_DECODED = (0, 16, 17, 18)  # none stated, sRGB, grey, and sYCC, of which the decoder makes RGB
_REFUSED = {12: "CMYK", 14: "CIELab"}  # numbers of colour spaces
_CENTIMETRE_TAG = 3


class Jpeg2000(BaseReader):
    """See `Reader`."""

    title = "JPEG 2000"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the signature box, or the first markers of a bare codestream."""
        return head.startswith((*_BOXES, _CODESTREAM))

    def read(self, path: Path) -> ImageFile:
        """Read all bits of all channels; a channel is opacity only if the file defines it so."""
        import imagecodecs

        with decoding(path):
            contents = path.read_bytes()
            boxes = dict(_boxes(contents))
        _check_colours(boxes, path)
        with decoding(path):
            array = imagecodecs.jpeg2k_decode(contents)
        stored, n_channels = array.dtype, array.shape[2] if array.ndim == 3 else 1
        alpha = _opacity(boxes, n_channels)
        if alpha == _ASSOCIATED:
            array = unmultiplied(array, 2, _full_scale(boxes))
        if n_channels == 2 and alpha:
            array, n_channels = grey_without_opacity(array, 2), 1
        return ImageFile(
            array,
            "YX" if array.ndim == 2 else "YXC",
            _pixel_size(boxes),
            path,
            doubt=channels_doubt(path, array.shape, n_channels, bool(alpha)),
            lossy=_is_lossy(contents),
            integers=None if array.dtype == stored else stored,
        )

    def calibration(self, path: Path) -> Calibration | None:
        """From the box of the resolution of capture."""
        with decoding(path):
            return _pixel_size(dict(_boxes(path.read_bytes())))


READERS.register("jpeg2000")(Jpeg2000())


def _boxes(contents: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Yield names and contents of the boxes that describe the image; none of a bare codestream."""
    end = len(contents) if end is None else min(end, len(contents))
    while start + 8 <= end and not contents.startswith(_CODESTREAM):
        size, name = struct.unpack_from(">I4s", contents, start)
        body = start + 8
        if name == b"jp2c" or size < 8:  # the pixels, or a box up to the end
            return
        if name in _FOLDERS:
            yield from _boxes(contents, body, start + size)
        else:
            yield name, contents[body : start + size]
        start += size


def _check_colours(boxes: Mapping[bytes, bytes], path: Path) -> None:
    """See that values are brightness or colours, by the number of the colour space; a profile is not looked
    into."""
    stated = boxes.get(b"colr", b"")
    if len(stated) < 7 or stated[0] != 1:
        return
    number = int.from_bytes(stated[3:7], "big")
    if number not in _DECODED:
        name = _REFUSED.get(number, f"number {number}")
        raise UnreadableFile(
            "grey values or RGB", path, f"convert it to RGB or grey (its colours are {name})"
        )


def _opacity(boxes: Mapping[bytes, bytes], n_channels: int) -> int:
    """Return the type of the last channel where that is opacity of the whole image; 0 where it is none."""
    stated = boxes.get(b"cdef", b"")
    for channel, kind, of in struct.iter_unpack(">HHH", stated[2 : 2 + (len(stated) - 2) // 6 * 6]):
        if channel == n_channels - 1 and kind in (_OPACITY, _ASSOCIATED) and of == 0:
            return int(kind)
    return 0


def _full_scale(boxes: Mapping[bytes, bytes]) -> int:
    """Return the largest value of the image's bits."""
    return 2 ** ((boxes[b"ihdr"][10] & 127) + 1) - 1


def _pixel_size(boxes: Mapping[bytes, bytes]) -> Calibration | None:
    stated = boxes.get(b"resc", b"")
    if len(stated) < 10:
        return None
    y, per_y, x, per_x, ten_y, ten_x = struct.unpack_from(">HHHHbb", stated)
    if not per_x or not per_y:
        return None
    # per metre
    return from_tags(x / per_x * 10.0**ten_x / 100, y / per_y * 10.0**ten_y / 100, _CENTIMETRE_TAG)


def _is_lossy(contents: bytes) -> bool:
    """Whether the wavelets are the irreversible ones (9-7); those with whole numbers may be cut short as
    well, which nothing tells."""
    at = contents.find(_CODING_STYLE, max(contents.find(_CODESTREAM), 0))
    return at >= 0 and contents[at + 13 : at + 14] == b"\0"
