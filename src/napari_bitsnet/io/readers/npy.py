"""NumPy's own files of one array."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_bitsnet.io.errors import UnreadableFile, decoding
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.readers import READERS, BaseReader


class Npy(BaseReader):
    """See `Reader`."""

    title = "NumPy"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the signature."""
        return head.startswith(b"\x93NUMPY")

    def read(self, path: Path) -> ImageFile:
        """Read the array; it names no axes. Python objects are refused, since reading them would run their
        code."""
        with decoding(path):
            array = np.load(path, allow_pickle=False)
        if array.ndim < 2 or array.dtype.kind not in "biuf":
            raise UnreadableFile(
                "an array of numbers with 2 dimensions or more",
                f"{path} of shape {array.shape} and type {array.dtype}",
                "save the image alone",
            )
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        return ImageFile(array, "YX" if array.ndim == 2 else None, None, path)


READERS.register("npy")(Npy())
