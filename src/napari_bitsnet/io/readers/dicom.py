"""DICOM: one or several frames, or the files of a series; nothing but pixels and their sizes is taken from a
file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.dicom import series as stacks
from napari_bitsnet.io.dicom.decoders import register_decoders
from napari_bitsnet.io.dicom.values import pixel_size, rescaled, stored_range
from napari_bitsnet.io.encoding import encoding_of_profile
from napari_bitsnet.io.errors import UnreadableFile, decoding, library
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.readers import READERS, BaseReader
from napari_bitsnet.io.stack import stacked

if TYPE_CHECKING:
    from pydicom import Dataset

_SUFFIXES = (".dcm", ".dicom", ".ima")
_FIRST_GROUPS = (
    b"\x02\x00",
    b"\x08\x00",
    b"\x00\x02",
    b"\x00\x08",
)  # of files without preamble, of either byte order
_LOSSY = (
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.91",
)
_LOSSY_HT = "1.2.840.10008.1.2.4.203"


class Dicom(BaseReader):
    """See `Reader`."""

    title = "DICOM"
    extra = "dicom"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the letters behind the preamble; without one by the first element and the suffix."""
        return head[128:132] == b"DICM" or (head[:2] in _FIRST_GROUPS and path.suffix.lower() in _SUFFIXES)

    def read(self, path: Path) -> ImageFile:
        """Read all frames in the units of the modality."""
        with _quietly(), decoding(path, private=True):  # pydicom decodes elements where they are looked at
            header = _header(path)
            _check(header, path)
            return _as_image(*_decoded(_pixels(header), header), header, path)

    def read_page(self, path: Path, number: int) -> ImageFile:
        """A page is a frame."""
        file = self.read(path)
        at = next((k for k, a in enumerate(file.axes or "") if a in "ZT"), None)
        if at is None:
            return super().read_page(path, number)
        if number >= file.array.shape[at]:
            raise UnreadableFile(
                f"a page from 0 to {file.array.shape[at] - 1}", f"page {number} of {path}", "choose another"
            )
        return replace(file, array=file.array[number], axes=(file.axes or "")[1:])

    def read_stack(self, paths: Sequence[Path], series: int | None) -> ImageFile:
        """Read one series; its slices are put in the order of their places, which their names need not
        have."""
        with _quietly(), decoding(paths[0].parent, private=True):
            headers = [(path, _header(path, stacks.NEEDED)) for path in paths]
            images = [(path, header) for path, header in headers if "Rows" in header]
            if not images:
                raise UnreadableFile(
                    "DICOM files with images", f"{paths[0].parent}, which has none", "name another folder"
                )
            chosen, told = stacks.choose(stacks.split(images), series, paths[0].parent)
        file = stacked(self.read, chosen.paths)
        size = file.calibration
        if size is not None and len(chosen.paths) > 1:
            size = replace(size, z_step=chosen.step)
        return replace(file, calibration=size, notices=(*told, *file.notices))

    def calibration(self, path: Path) -> Calibration | None:
        """From the header."""
        with _quietly(), decoding(path, private=True):
            return pixel_size(_header(path))


READERS.register("dicom")(Dicom())


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep pydicom's warnings to itself: they may quote a patient's data."""
    logger = logging.getLogger("pydicom")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # those below it inherit the level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _header(path: Path, only: list[str] | None = None) -> Dataset:
    """Read a file's elements; with `only` those, without the pixels."""
    pydicom = library("pydicom", "dicom", path)
    with decoding(path, private=True):
        return pydicom.dcmread(path, force=True, specific_tags=only, stop_before_pixels=only is not None)


def _check(header: Dataset, path: Path) -> None:
    """See that there is one image that can be put together.

    Raises
    ------
    UnreadableFile
        If there is none, or if its frames are the tiles of a larger one.
    """
    if not any(name in header for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UnreadableFile(
            "a DICOM file with an image", f"{path}, which holds none", "name the files of the images"
        )
    frames = int(header.get("NumberOfFrames", 1) or 1)
    if frames > 1 and "TotalPixelMatrixColumns" in header:
        raise UnreadableFile(
            "a DICOM file of whole frames",
            f"{path}, whose frames are tiles of a slide",
            "convert it to OME-TIFF or OME-Zarr",
        )


def _pixels(header: Dataset) -> NDArray:
    from pydicom.pixels import pixel_array

    register_decoders()
    if "TransferSyntaxUID" not in header.file_meta:
        from pydicom.uid import ImplicitVRLittleEndian

        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return np.asarray(pixel_array(header))


def _decoded(stored: NDArray, header: Dataset) -> tuple[NDArray, str, NDArray | None]:
    """Return values, their axes and a palette's indices."""
    from pydicom.pixels import apply_color_lut

    frames = int(header.get("NumberOfFrames", 1) or 1)
    axes = (
        "YX" if frames == 1 else f"{'T' if 'FrameTime' in header or 'FrameTimeVector' in header else 'Z'}YX"
    )
    if header.get("PhotometricInterpretation") == "PALETTE COLOR":
        return np.asarray(apply_color_lut(stored, header)), f"{axes}C", stored
    if stored.ndim > len(axes):
        return stored, f"{axes}C", None
    return rescaled(stored, header), axes, None


def _as_image(values: NDArray, axes: str, indices: NDArray | None, header: Dataset, path: Path) -> ImageFile:
    syntax = str(header.file_meta.get("TransferSyntaxUID", ""))
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return ImageFile(
        values,
        axes,
        pixel_size(header),
        path,
        indices=indices,
        lossy=syntax in (*_LOSSY, _LOSSY_HT),
        black=_black(header, values) if inverted else None,
        encoding=encoding_of_profile(header.get("ICCProfile")),
    ).with_stored_notice()


def _black(header: Dataset, values: NDArray) -> Any:
    """What values are subtracted from to invert them: the sum of the ends of their range."""
    ends = rescaled(np.array(stored_range(header), np.int64), header)
    total = ends.sum()
    return int(total) if values.dtype.kind in "iu" else float(total)
