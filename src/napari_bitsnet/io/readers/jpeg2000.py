"""JPEG 2000 of 1 to 16 bits a channel, with its boxes (JP2) or without."""

from __future__ import annotations

from pathlib import Path

from napari_bitsnet.io.calibration import Calibration, from_tags
from napari_bitsnet.io.errors import decoding
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.opacity import grey_without_opacity
from napari_bitsnet.io.readers import READERS, BaseReader

_BOXES = (b"\x00\x00\x00\x0cjP  ", b"\x00\x00\x00\x0cjp2c")
_CODESTREAM = b"\xff\x4f\xff\x51"
_CODING_STYLE = b"\xff\x52"
_INCH = 2


class Jpeg2000(BaseReader):
    """See `Reader`."""

    title = "JPEG 2000"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the signature box, or the first markers of a bare codestream."""
        return head.startswith((*_BOXES, _CODESTREAM))

    def read(self, path: Path) -> ImageFile:
        """Read all bits of all channels."""
        import imagecodecs

        with decoding(path):
            contents = path.read_bytes()
            array = imagecodecs.jpeg2k_decode(contents)
        stored = array.dtype
        if array.ndim == 3 and array.shape[-1] == 2:
            array = grey_without_opacity(array, 2)
        return ImageFile(
            array,
            "YX" if array.ndim == 2 else "YXC",
            self.calibration(path),
            path,
            lossy=_is_lossy(contents),
            integers=None if array.dtype == stored else stored,
        )

    def calibration(self, path: Path) -> Calibration | None:
        """From the resolution box."""
        from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

        with decoding(path), Jpeg2KImageFile(path) as picture:
            x, y = picture.info.get("dpi", (0, 0))
        return from_tags(x, y, _INCH)


READERS.register("jpeg2000")(Jpeg2000())


def _is_lossy(contents: bytes) -> bool:
    """Whether the wavelets are the irreversible ones (9-7); those with whole numbers may be cut short as
    well, which nothing tells."""
    at = contents.find(_CODING_STYLE, max(contents.find(_CODESTREAM), 0))
    return at >= 0 and contents[at + 13 : at + 14] == b"\0"
