"""What can go wrong when a file is read, each in a sentence of its own."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


class UnreadableFile(ValueError):
    """A file that cannot be read here, whole or not.

    Parameters
    ----------
    expected : str
        What would have been right, as the object of "Expected …".
    got : str or Path
        The file, and what it is where that needs saying.
    advice : str
        What to do.
    """

    def __init__(self, expected: str, got: str | Path, advice: str) -> None:
        super().__init__(f"Expected {expected}, got {got}: {advice}.")


class DamagedFile(UnreadableFile):
    """A file of which a decoder says that it is broken, or of which a part is missing."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            "a whole image file",
            f"{path}, which is truncated or damaged ({reason})",
            "copy or export it again",
        )


def library(name: str, extra: str, path: Path) -> ModuleType:
    """Return a package that only one format needs.

    Raises
    ------
    UnreadableFile
        If it is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnreadableFile(
            f"the package {name.partition('.')[0]} to be installed",
            f"{path} without it ({reason_of(error)})",
            f'run pip install "napari-bitsnet[{extra}]"',
        ) from error


@contextmanager
def decoding(path: Path, *, private: bool = False) -> Iterator[None]:
    """Name the cause where a library fails on a file; only what a decoder complains about is called damage.

    Nothing but calls of the library belongs inside, so that our own faults are not taken for the file's. With
    `private` the library's words, which may quote the file, are left out.

    Raises
    ------
    UnreadableFile
        If memory, rights, the disk or a codec are missing.
    DamagedFile
        Of everything else: decoders of damaged files raise anything.
    """
    try:
        yield
    except UnreadableFile:
        raise
    except MemoryError as error:
        raise UnreadableFile(
            "an image that fits into the memory",
            f"{path} ({reason_of(error)})",
            "crop it or make it smaller first, or close other programs",
        ) from error
    except (ImportError, NotImplementedError) as error:
        raise UnreadableFile(
            "an image that can be decoded here",
            f"{path} ({reason_of(error)})",
            "save it as TIFF without compression",
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's, not the decoder's
            raise unreadable(path, error) from error
        if private:
            raise DamagedFile(path, type(error).__name__) from None
        raise DamagedFile(path, reason_of(error)) from error


def unreadable(path: Path, error: OSError) -> UnreadableFile:
    """Return the error of a file that the system does not hand out."""
    return UnreadableFile("a readable file", f"{path} ({error.strerror})", "check its rights and its disk")


def reason_of(error: Exception) -> str:
    """What an exception says, in one line of at most 200 letters."""
    return " ".join(str(error).split())[:200] or type(error).__name__
