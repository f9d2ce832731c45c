"""Formats that can be read: the `Reader` contract and its registry. A new format is one file in this
folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from napari_bitsnet.core.registry import Registry
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.errors import UnreadableFile
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.stack import stacked


class Reader(Protocol):
    """Reads one format. Libraries are imported inside the functions, so that others do not wait for them."""

    title: str
    """Of the format, as messages name it: ``"TIFF"``."""
    extra: str
    """Name of the extra that brings its library; empty where none is needed."""

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether a file is of this format.

        Parameters
        ----------
        path : Path
            A file, or a folder.
        head : bytes
            The file's first `HEAD_BYTES`, or all it has; empty for a folder. The contents decide, not the
            suffix.
        """

    def read(self, path: Path) -> ImageFile:
        """Read the image of a file that was recognised; of several the first, with a notice.

        Raises
        ------
        UnreadableFile, DamagedFile
            Saying what was expected, what came, and what to do.
        """

    def read_series(self, path: Path, number: int) -> ImageFile:
        """Read one of several images of a file, counted from 0."""

    def read_page(self, path: Path, number: int) -> ImageFile:
        """Read one page of a file, counted from 0: a single plane, whatever stack it belongs to."""

    def read_stack(self, paths: Sequence[Path], series: int | None) -> ImageFile:
        """Read several files as one stack; `series` chooses where they belong to several."""

    def calibration(self, path: Path) -> Calibration | None:
        """Return how large a pixel is as it is stored, without reading any; None where the file does not
        say."""


class BaseReader:
    """What most formats share: a file holds one image, and files make a stack in the order of their names."""

    title: str
    extra = ""

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Reader`."""
        raise NotImplementedError

    def read(self, path: Path) -> ImageFile:
        """See `Reader`."""
        raise NotImplementedError

    def read_series(self, path: Path, number: int) -> ImageFile:
        """The file itself is series 0."""
        return self._only(path, number, "images (series)")

    def read_page(self, path: Path, number: int) -> ImageFile:
        """The file itself is page 0."""
        return self._only(path, number, "pages")

    def read_stack(self, paths: Sequence[Path], series: int | None) -> ImageFile:
        """Put planes of one size upon each other."""
        if series:
            raise UnreadableFile("one stack of files", paths[0].parent, f"leave out series {series}")
        return stacked(self.read, paths)

    def calibration(self, path: Path) -> Calibration | None:
        """Of the image that is read; formats that know it without reading do better."""
        return self.read(path).calibration

    def _only(self, path: Path, number: int, what: str) -> ImageFile:
        if number:
            raise UnreadableFile(
                f"a file with several {what}",
                f"{path}, of which a {self.title} file has one",
                "leave that choice out",
            )
        return self.read(path)


HEAD_BYTES = 512

READERS: Registry[Reader] = Registry("format", __name__, "napari_bitsnet.readers")
"""Asked in alphabetical order; the first that recognises a file reads it."""
