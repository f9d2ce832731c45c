"""Cameras' raw files, developed for use as photographs: guides, not measurements."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_bitsnet.io.errors import UnreadableFile, decoding, library
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.readers import READERS, BaseReader
from napari_bitsnet.io.tiff.choice import DNG_VERSION
from napari_bitsnet.io.tiff.complaints import complaints

_BEGINNINGS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\x00", b"FUJIFILMCCD-RAW")  # Olympus, Panasonic, Fuji
_CANON = ((b"II*\x00", slice(8, 10), b"CR"), (b"", slice(4, 12), b"ftypcrx "))
_TIFFS = (b"II*\x00", b"MM\x00*")
_SUFFIXES = (
    ".dng",
    ".nef",
    ".nrw",
    ".arw",
    ".sr2",
    ".srw",
    ".pef",
    ".3fr",
    ".fff",
    ".iiq",
    ".erf",
    ".kdc",
    ".dcr",
    ".mef",
    ".mos",
    ".rwl",
)
_SRGB_CURVE = (2.4, 12.92)


class CameraRaw(BaseReader):
    """See `Reader`."""

    title = "camera raw"
    extra = "raw"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the maker's first bytes; those that are TIFFs by their suffix, or DNG's own tag."""
        if head.startswith(_BEGINNINGS) or any(
            head.startswith(s) and head[at] == word for s, at, word in _CANON
        ):
            return True
        is_tiff = head[:4] in _TIFFS and head[128:132] != b"DICM"
        return is_tiff and (path.suffix.lower() in _SUFFIXES or _is_dng(path))

    def read(self, path: Path) -> ImageFile:
        """Develop it: 16 bits, the sRGB curve and primaries, the camera's white balance, no automatic
        brightness."""
        rawpy = library("rawpy", "raw", path)
        with decoding(path):
            try:
                with rawpy.imread(str(path)) as raw:
                    array = raw.postprocess(
                        output_bps=16,
                        use_camera_wb=True,
                        no_auto_bright=True,
                        gamma=_SRGB_CURVE,
                        output_color=rawpy.ColorSpace.sRGB,
                    )
            except rawpy.LibRawFileUnsupportedError as error:
                raise UnreadableFile(
                    "a camera's raw file that LibRaw knows",
                    path,
                    "develop it with the camera's program, and save it as TIFF",
                ) from error
        told = (
            f"{path.name} is a camera's raw file; it is developed with the camera's white balance "
            "(sRGB, 16 bits)."
        )
        return ImageFile(np.asarray(array), "YXC", None, path, (told,), encoding="srgb")

    def calibration(self, path: Path) -> None:
        """A photograph says nothing about it."""
        return None


READERS.register("camera_raw")(CameraRaw())


def _is_dng(path: Path) -> bool:
    """Whether a TIFF has DNG's version among its first tags."""
    import tifffile

    try:
        with complaints(), tifffile.TiffFile(path, is_ndtiff=False) as tiff:
            return DNG_VERSION in tiff.pages.first.tags
    except Exception:  # the reader of TIFF says what is wrong with it
        return False
