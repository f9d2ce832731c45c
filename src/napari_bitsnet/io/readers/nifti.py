"""NIfTI-1 and NIfTI-2, compressed or not: volumes with their place in space."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration, checked, from_sizes
from napari_bitsnet.io.errors import UnreadableFile, decoding, library
from napari_bitsnet.io.image_file import ImageFile, channels_doubt
from napari_bitsnet.io.readers import READERS, BaseReader

_GZIP = b"\x1f\x8b"
_SINGLE, _PAIR, _SECOND = b"n+1\0", b"ni1\0", (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")
_LETTERS = "XYZTUVW"  # of NIfTI's dimensions
_RGB_VECTOR = 2003  # the intent of five-dimensional files whose last dimension is colour
_UNITS = {"mm": "mm", "micron": "µm", "meter": "m"}


class Nifti(BaseReader):
    """See `Reader`."""

    title = "NIfTI"
    extra = "nifti"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the magic number in the header, compressed or not."""
        head = _unpacked(head)
        return head[344:348] in (_SINGLE, _PAIR) or head[4:12] in _SECOND

    def read(self, path: Path) -> ImageFile:
        """Read a volume with its first dimension as X: the array is the library's with its axes in reverse
        order."""
        image, stored, size = _loaded(path, pixels=True)
        if stored.dtype.names == ("R", "G", "B"):
            stored = np.stack([stored[name] for name in "RGB"])
            letters = f"C{_LETTERS[: stored.ndim - 1]}"
            order = (*range(1, stored.ndim)[::-1], 0)
        else:
            letters, order = _LETTERS[: stored.ndim], tuple(range(stored.ndim))[::-1]
            if image.header.get_intent("code")[0] == _RGB_VECTOR:
                letters = letters.replace("U", "C")
        if stored.ndim < 2 or stored.dtype.kind not in "iuf":
            raise UnreadableFile(
                "a volume of real numbers",
                f"{path} of shape {stored.shape} and type {stored.dtype}",
                "convert it",
            )
        array = stored.transpose(order)
        axes = "".join(letters[k] for k in order)
        alone = tuple(k for k, a in enumerate(axes) if a not in "YX" and array.shape[k] == 1)
        array = array.squeeze(alone)
        axes = "".join(a for k, a in enumerate(axes) if k not in alone)
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        n_channels = array.shape[axes.index("C")] if "C" in axes else 3
        return ImageFile(array, axes, size, path, doubt=channels_doubt(path, array.shape, n_channels, False))

    def calibration(self, path: Path) -> Calibration | None:
        """From the affine of the header."""
        return _loaded(path, pixels=False)[2]


READERS.register("nifti")(Nifti())


def _loaded(path: Path, *, pixels: bool) -> tuple[Any, NDArray, Calibration | None]:
    """Return the library's image, its values after scaling, and how large a pixel is."""
    nibabel = library("nibabel", "nifti", path)
    with decoding(path), path.open("rb") as file:
        head = _unpacked(file.read(512))
        file.seek(0)
        second = head[4:12] in _SECOND
        if head[344:348] == _PAIR or head[4:7] == b"ni2":
            kind = nibabel.Nifti2Pair if second else nibabel.Nifti1Pair
            image = kind.from_filename(str(path))
        else:
            stream: IO[bytes] = gzip.open(file) if _is_packed(path) else file  # type: ignore[assignment]  # noqa: SIM115
            image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_stream(stream)
        stored = np.asanyarray(image.dataobj) if pixels else np.empty((0, 0))
        return image, stored, _pixel_size(image)


def _pixel_size(image: Any) -> Calibration | None:
    """The lengths of the affine's columns, and the affine itself."""
    affine = np.asarray(image.affine, float)
    sizes = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if not np.isfinite(affine).all():
        return None
    unit = _UNITS.get(image.header.get_xyzt_units()[0], "")
    depth = sizes[2] if len(image.shape) > 2 and image.shape[2] > 1 else None
    if unit:
        found = from_sizes(
            {a: (n, unit) for a, n in zip("XYZ", (*sizes[:2], depth), strict=True) if n is not None}
        )
    else:
        with np.errstate(divide="ignore"):
            x, y = (float(n) for n in 1 / sizes[:2])
        found = checked(
            Calibration((x, y), "", None if depth is None or (x, y, depth) == (1, 1, 1) else float(depth))
        )
    if found is None:
        return None
    return Calibration(found.per_unit, found.unit, found.z_step, tuple(tuple(row) for row in affine.tolist()))


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def _unpacked(head: bytes) -> bytes:
    """What a gzip file's first bytes hold, as far as they go; other bytes as they are."""
    if not head.startswith(_GZIP):
        return head
    try:
        return zlib.decompressobj(31).decompress(head)
    except zlib.error:
        return b""
