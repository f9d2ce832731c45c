"""Reads an image file of any format that there is a reader for, or several files as one stack."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from napari_bitsnet.core.spelling import listed
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.errors import UnreadableFile, unreadable
from napari_bitsnet.io.formats import format_name
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.readers import HEAD_BYTES, READERS, Reader
from napari_bitsnet.io.stack import files_of_folder, files_of_pattern, folders_of_pattern, is_pattern

LOG = logging.getLogger(__name__)


def present(path: str | Path) -> Path:
    """Return the absolute path of a file, a folder or a pattern of files that there is.

    Raises
    ------
    FileNotFoundError
        If there is nothing of that name.
    """
    path = Path(path).expanduser().absolute()
    if is_pattern(path):
        if not files_of_pattern(path):
            raise FileNotFoundError(
                f"Expected files that a pattern matches, got {path}: no file matches {path.name} there."
            )
    elif not path.exists():
        raise FileNotFoundError(f"Expected an image file, got {path}, which does not exist: check the path.")
    return path


def files_of(path: str | Path) -> list[Path]:
    """Return the files that `read_image` looks at: those of a pattern or of a folder of slices, else the path
    itself, which may be a folder that is an image."""
    path = Path(path).expanduser().absolute()
    if is_pattern(path):
        return files_of_pattern(path)
    try:
        return files_of_folder(path) if _is_folder_of_slices(path) else [path]
    except OSError:  # not to be looked into; reading says why
        return [path]


def would_read(path: str | Path, folder: Path, names: Iterable[str]) -> bool:
    """Return True if `read_image` also looked at new files in a folder.

    Parameters
    ----------
    path : str or Path
        What is read. A pattern takes the names that it matches; a folder of slices all files, but none of its
        subfolders; a folder that is an image all that is below.
    folder : Path
        Must exist.
    names : iterable of str
        Of the files.
    """
    path, place = Path(path).expanduser().absolute(), Path(os.path.realpath(folder))
    if is_pattern(path):
        if not any(fnmatchcase(name, path.name) for name in names):
            return False
        parents = folders_of_pattern(path.parent) if is_pattern(path.parent) else [path.parent]
        return any(Path(os.path.realpath(parent)) == place for parent in parents)
    real = Path(os.path.realpath(path))
    if not real.is_dir():
        return False
    return real == place or (real in place.parents and not _is_folder_of_slices(real))


def _is_folder_of_slices(path: Path) -> bool:
    """Whether it is a folder that is not itself an image."""
    return path.is_dir() and _reader_of(path, b"") is None


def read_image(
    path: str | Path, *, series: int | None = None, page: int | None = None, slices: str = ""
) -> ImageFile:
    """Read an image file, or files as the slices of a stack; the contents of a file, not its suffix, decide
    how.

    Parameters
    ----------
    path : str or Path
        A file of any format that there is a reader for (see the page "Files" of the documentation), of any
        size that fits into the memory; an OME-Zarr folder; a folder of slices; or a pattern such as
        ``"slices/*.png"``.
    series : int, optional
        Which of several images, from 0; default the first, with a notice.
    page : int, optional
        Which page of a file, from 0: a single plane.
    slices : str, optional
        Which slices along the first axis of a stack, as Python counts: ``"5"``, ``"10:20"``, ``"::2"``.

    Returns
    -------
    ImageFile
        As it is shown where the file gives an orientation, without associated opacity, and with NaN where
        GDAL's value for missing pixels stands.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is empty, truncated, damaged, of another format or colour space, too large for the memory, needs
        a package that is not installed, or has no such series, page or slices; the message says which.
    """
    file = _read(present(path), series, page, slices)
    LOG.info("read %s: %s, %s", file.path, file.array.shape, file.array.dtype)
    return file


def _read(path: Path, series: int | None, page: int | None, slices: str) -> ImageFile:
    """Read an image as `read_image` does, from an absolute path."""
    if is_pattern(path):
        return _sliced(_stack(files_of_pattern(path), path, series, page), slices)
    head = _head(path)
    reader = _reader_of(path, head)
    if reader is None and path.is_dir():
        return _sliced(_stack(files_of_folder(path), path, series, page), slices)
    if reader is None:
        name = format_name(head)
        what = f"{path}, a {name} file" if name else str(path)
        raise UnreadableFile(
            f"a {_titles()} file", what, "convert it to one of these, or copy it again if it should be one"
        )
    if page is not None:
        if series is not None or slices:
            raise ValueError(f"Expected a page alone, got page {page} with series or slices: choose one.")
        return reader.read_page(path, page)
    return _sliced(reader.read(path) if series is None else reader.read_series(path, series), slices)


def read_file_calibration(path: str | Path) -> Calibration | None:
    """Return how large a pixel is as it is stored, without reading any where the format allows that.

    Parameters
    ----------
    path : str or Path
        As for `read_image`.

    Returns
    -------
    Calibration or None
        None where the file does not say.

    Raises
    ------
    OSError, ValueError
        If it is no such file.
    """
    path = present(path)
    if is_pattern(path):
        return read_file_calibration(files_of_pattern(path)[0])
    reader = _reader_of(path, _head(path))
    if reader is None and path.is_dir():
        return read_image(path).calibration
    if reader is None:
        raise UnreadableFile(f"a {_titles()} file", path, "its pixel size cannot be read")
    return reader.calibration(path)


def _stack(paths: Sequence[Path], place: Path, series: int | None, page: int | None) -> ImageFile:
    """Read those files that are images; the reader of the first decides how they make a stack."""
    known = [(path, reader) for path in paths if (reader := _reader_or_none(path)) is not None]
    if not known:
        raise UnreadableFile(f"{_titles()} files", f"{place}, which holds none", "name a file or its folder")
    if page is not None:
        raise UnreadableFile("a file to choose a page of", place, "choose slices, or name one file")
    first = known[0][1]
    ours = [path for path, reader in known if reader is first]
    file = first.read_stack(ours, series)
    left = len(paths) - len(ours)
    told = f"{place.name}: {left} of {len(paths)} files are no {first.title} images and are left out."
    return replace(file, path=place, notices=(*file.notices, told) if left else file.notices)


def _sliced(file: ImageFile, slices: str) -> ImageFile:
    """Choose along the first axis that is neither Y, X nor C; a single slice drops it."""
    if not slices:
        return file
    at = next((k for k, a in enumerate(file.axes) if a not in "YXC"), None) if file.axes else 0
    if at is None or file.array.ndim < 3:
        raise UnreadableFile("a stack to choose slices of", f"{file.path}, one image", "leave slices out")
    try:
        parts = [int(part) if part.strip() else None for part in slices.split(":")]
        every = range(file.array.shape[at])
        chosen = every[slice(*parts)] if len(parts) > 1 else every[int(slices)]
        count = 1 if isinstance(chosen, int) else len(chosen)
    except (ValueError, TypeError, IndexError):
        count = 0
    if not count:
        raise ValueError(
            f"Expected slices of {file.path.name} from 0 to {file.array.shape[at] - 1}, as in 5, 10:20 or "
            f"::2, got {slices!r}."
        )
    part = chosen if isinstance(chosen, int) else _as_slice(chosen)
    index = (slice(None),) * at + (part,)
    axes = file.axes
    if isinstance(chosen, int) and axes is not None:
        axes = axes[:at] + axes[at + 1 :]
    size = file.calibration
    if size is not None and (file.axes is None or file.axes[at] == "Z"):
        first, step = (chosen, 1) if isinstance(chosen, int) else (chosen.start, chosen.step)
        size = size.sliced(first, step)
    return replace(
        file,
        array=file.array[index],
        axes=axes,
        calibration=size,
        indices=None if file.indices is None else file.indices[index],
        levels=tuple(level[index] for level in file.levels),
    )


def _as_slice(chosen: range) -> slice:
    stop: int | None = chosen.stop
    return slice(chosen.start, None if stop is not None and stop < 0 else stop, chosen.step)


def _head(path: Path) -> bytes:
    """First bytes of a file; none of a folder."""
    if path.is_dir():
        return b""
    if not path.is_file():
        raise UnreadableFile(
            "a file", f"{path}, which is a pipe or a device", "save its contents to a file first"
        )
    head = _beginning(path)
    if not head:
        raise ValueError(f"Expected an image, got {path}, which is empty (0 bytes): copy or export it again.")
    return head


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error


def _reader_of(path: Path, head: bytes) -> Reader | None:
    """Return the first reader that recognises a file or folder."""
    return next((reader for name in READERS if (reader := READERS.get(name)).recognises(path, head)), None)


def _reader_or_none(path: Path) -> Reader | None:
    head = _beginning(path)
    return _reader_of(path, head) if head else None


def _titles() -> str:
    """``"JPEG, PNG or TIFF"``: what can be read."""
    return listed([READERS.get(name).title for name in READERS], "or")
