"""Space on the disk: estimated before the work, and what is missing when it ran out."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_bitsnet.core.writing import Together

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_CUT_SHORT = re.compile(r"\d+ requested and \d+ written")
"""NumPy says so, without the operating system's number, where it cannot write all of an array."""
SLACK = 64 * 1024
"""Bytes for each file beside its pixels: metadata, and the rest of the last block."""


class NoSpaceError(OSError):
    """There is less space on the disk than the files need."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.ENOSPC, text)

    def __str__(self) -> str:
        return str(self.strerror)


def check_space(folder: Path, needed: int) -> None:
    """See that a folder's disk has space for files that are about to be written.

    Parameters
    ----------
    folder : Path
        Must exist.
    needed : int
        Bytes. Files that are to be replaced stay until the new ones are whole, so theirs do not count as
        free.

    Raises
    ------
    NoSpaceError
        Naming how much there is and how much is missing.
    """
    usage = shutil.disk_usage(folder)
    if usage.total and usage.free < needed:  # some network disks say 0 of 0
        raise NoSpaceError(_text(folder, needed, usage.free))


@contextmanager
def telling_what_is_missing(files: Together, needed: int) -> Iterator[None]:
    """Say how much is missing where the disk runs full in the middle, or holds no files of this size.

    Parameters
    ----------
    files : Together
        What is being written.
    needed : int
        Bytes of all files, as estimated.

    Raises
    ------
    NoSpaceError
        In place of the operating system's error.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, NoSpaceError):
            raise
        free, left = shutil.disk_usage(files.folder).free, needed - files.written()
        cut_short = error.errno is None and _CUT_SHORT.search(str(error)) is not None
        if error.errno in _FULL or (cut_short and free < left):
            # what is written goes again, and is free then
            raise NoSpaceError(
                _text(files.folder, needed, min(free + files.written(), needed - 1))
            ) from error
        if error.errno == errno.EFBIG or cut_short:
            raise NoSpaceError(
                f"Expected files of up to {in_words(needed)} to be allowed in {files.folder}, got a disk or "
                f"an account that takes no file as large: choose another folder. {KEPT}"
            ) from error
        raise


KEPT = "Files of earlier runs are as they were."


def in_words(size: int) -> str:
    """Return a number of bytes as people read it: ``"1.5 MB"``."""
    number, units = float(size), ["bytes", "kB", "MB", "GB", "TB"]
    while number >= 1000 and len(units) > 1:
        number, units = number / 1000, units[1:]
    return f"{number:.3g} {units[0]}"


def _text(folder: Path, needed: int, free: int) -> str:
    return (
        f"Expected {in_words(needed)} of free space in {folder}, got {in_words(free)}: make "
        f"{in_words(needed - free)} free, or choose another folder. {KEPT}"
    )
