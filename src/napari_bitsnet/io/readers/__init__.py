"""Formats that can be read: the `Reader` contract and its registry. A new format is one file in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from napari_bitsnet.core.registry import Registry
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.image_file import ImageFile


class Reader(Protocol):
    """Reads one format. Libraries are imported inside `read` and `calibration`, so that others do not wait for them."""

    title: str
    """Of the format, as messages name it: ``"TIFF"``."""

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether a file is of this format.

        Parameters
        ----------
        path : Path
            A file, or a folder.
        head : bytes
            The file's first `HEAD_BYTES`, or all it has; empty for a folder. The contents decide, not the suffix.
        """

    def read(self, path: Path) -> ImageFile:
        """Read a file that was recognised.

        Raises
        ------
        UnreadableFile, DamagedFile
            Saying what was expected, what came, and what to do.
        """

    def calibration(self, path: Path) -> Calibration | None:
        """Return how large a pixel is as it is stored, without reading any; None where the file does not say."""


HEAD_BYTES = 512

READERS: Registry[Reader] = Registry("format", __name__, "napari_bitsnet.readers")
"""Asked in alphabetical order; the first that recognises a file reads it."""
