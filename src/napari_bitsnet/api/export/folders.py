"""The folder that outputs go to: whether it takes files, and how it tells their names apart."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_bitsnet.core.writing import remove_leftovers, temporary_path


def check_writable(folder: str | Path) -> Path:
    """Make a folder and try it, before any long work; what a killed run left there half-written goes.

    Parameters
    ----------
    folder : str or Path
        Made with its parents if it does not exist.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    ValueError
        If nothing can be written there.
    """
    folder = Path(folder).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        trial = temporary_path(folder)
        trial.touch()
        trial.unlink()
    except (OSError, ValueError) as error:  # a name that cannot be encoded is a ValueError
        file = next((path for path in (folder, *folder.parents) if path.is_file()), None)
        reason = getattr(error, "strerror", None) or error
        if file is not None:
            reason = "it is a file" if file == folder else f"{file} is a file"
        raise ValueError(
            f"Expected a folder that can be written to, got {folder} ({reason}): choose another one."
        ) from error
    return folder


@contextmanager
def without_empty(folder: Path) -> Iterator[None]:
    """Remove a folder at the end, and its parents, as far as they were made meanwhile and nothing is in them.

    Parameters
    ----------
    folder : Path
        Need not exist.
    """
    folder = folder.expanduser().absolute()
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        yield
    finally:
        with suppress(OSError, ValueError):  # it holds something, or was never made
            for path in missing:
                path.rmdir()


def folding(folder: Path) -> Callable[[str], str]:
    """Return a function that makes names alike which stand for one file in a folder.

    Parameters
    ----------
    folder : Path
        A folder that can be written to. Where its disk does not tell ``Scan.tif`` from ``scan.tif`` (most of
        Windows' and macOS', and memory sticks), case and Unicode's ways of writing one letter make no
        difference; else all do.
    """
    return _alike if ignores_case(folder) else str


def ignores_case(folder: Path) -> bool:
    """Whether two names of a folder that differ in case only stand for one file; tried with a file that goes
    again."""
    trial = temporary_path(folder)
    try:
        trial.touch()
        return trial.with_name(trial.name.upper()).exists()
    except OSError:
        return False
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)


def check_name(folder: Path, name: str) -> None:
    """See that a folder can hold a file of this name, by making one that is as long; it goes again.

    Parameters
    ----------
    folder : Path
        Must exist.
    name : str
        The longest of those to be written; ends in ASCII letters.

    Raises
    ------
    ValueError
        If the name is too long for the disk (255 bytes on most), or has letters that it does not take.
    """
    trial = folder / f"{name[:-5]}.part"
    try:
        os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        trial.unlink()
    except FileExistsError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        size = len(name.encode("utf-8", "surrogatepass"))
        raise ValueError(
            f"Expected outputs whose names {folder} can hold, got {name!r} of {size} bytes ({reason}): give "
            "the input a shorter or simpler name."
        ) from error


def _alike(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
