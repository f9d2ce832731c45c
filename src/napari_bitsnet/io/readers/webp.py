"""WebP: colours of 8 bits, with opacity or without."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from napari_bitsnet.io.encoding import encoding_of_exif, encoding_of_profile
from napari_bitsnet.io.errors import decoding
from napari_bitsnet.io.exif import ORIENTATION, exif_pixel_size, exif_tags
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.orientation import valid_orientation
from napari_bitsnet.io.readers import READERS, BaseReader


class WebP(BaseReader):
    """See `Reader`."""

    title = "WebP"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the container and its kind."""
        return head[:4] == b"RIFF" and head[8:12] == b"WEBP"

    def read(self, path: Path) -> ImageFile:
        """Read it; of an animation the first image."""
        import imagecodecs

        with decoding(path):
            contents = path.read_bytes()
            array, chunks = imagecodecs.webp_decode(contents, index=0), _chunks(contents)
        tags = exif_tags(chunks[b"EXIF"]) if b"EXIF" in chunks else {}
        file = ImageFile(
            array,
            "YXC",
            exif_pixel_size(tags),
            path,
            (f"{path.name} is animated; its first image is read.",) if b"ANIM" in chunks else (),
            lossy=b"VP8L" not in contents,
            encoding=encoding_of_profile(chunks.get(b"ICCP")) or encoding_of_exif(tags),
        )
        return file.upright(valid_orientation(tags.get(ORIENTATION)), "YXC")


READERS.register("webp")(WebP())


def _chunks(contents: bytes) -> Mapping[bytes, bytes]:
    """Return the chunks of the RIFF container by their name; each has an even length."""
    found, at = {}, 12
    while at + 8 <= len(contents):
        (length,) = struct.unpack_from("<I", contents, at + 4)
        found[contents[at : at + 4]] = contents[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return found
