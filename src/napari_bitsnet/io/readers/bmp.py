"""BMP: grey, colours and palettes of up to 8 bits a channel."""

from __future__ import annotations

from pathlib import Path

from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.readers import READERS, BaseReader
from napari_bitsnet.io.readers._pillow import read_picture


class Bmp(BaseReader):
    """See `Reader`."""

    title = "BMP"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By its first letters, and a header whose size is one of those that there are."""
        return head.startswith(b"BM") and head[14:18] in _HEADERS

    def read(self, path: Path) -> ImageFile:
        """Read it; a palette's indices are kept beside its colours."""
        from PIL.BmpImagePlugin import BmpImageFile

        return read_picture(path, BmpImageFile)


_HEADERS = [size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)]

READERS.register("bmp")(Bmp())
