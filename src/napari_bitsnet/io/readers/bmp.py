"""BMP: grey, colours and palettes of up to 8 bits a channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_bitsnet.io.calibration import from_tags
from napari_bitsnet.io.errors import decoding
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.readers import READERS, BaseReader

_INCH = 2


class Bmp(BaseReader):
    """See `Reader`."""

    title = "BMP"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By its first letters, and a header whose size is one of those that there are."""
        return head.startswith(b"BM") and head[14:18] in _HEADERS

    def read(self, path: Path) -> ImageFile:
        """Read it; a palette's indices are kept beside its colours."""
        from PIL.BmpImagePlugin import BmpImageFile

        with decoding(path), BmpImageFile(path) as picture:  # not Image.open, which refuses large ones
            indices = np.asarray(picture) if picture.mode == "P" else None
            array = np.asarray(picture if indices is None else picture.convert("RGB"))
            x, y = picture.info.get("dpi", (0, 0))
        axes = "YX" if array.ndim == 2 else "YXC"
        return ImageFile(array, axes, from_tags(x, y, _INCH), path, indices=indices)


_HEADERS = [size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)]

READERS.register("bmp")(Bmp())
