"""WebP: colours of 8 bits, with opacity or without."""

from __future__ import annotations

from pathlib import Path

from napari_bitsnet.io.errors import unreadable
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.readers import READERS, BaseReader
from napari_bitsnet.io.readers._pillow import read_picture


class WebP(BaseReader):
    """See `Reader`."""

    title = "WebP"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the container and its kind."""
        return head[:4] == b"RIFF" and head[8:12] == b"WEBP"

    def read(self, path: Path) -> ImageFile:
        """Read it; of an animation the first image."""
        from PIL.WebPImagePlugin import WebPImageFile

        try:
            lossy = b"VP8L" not in path.read_bytes()
        except OSError as error:
            raise unreadable(path, error) from error
        return read_picture(path, WebPImageFile, lossy=lossy)


READERS.register("webp")(WebP())
