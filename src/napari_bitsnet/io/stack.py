"""Files as the slices of one stack: which files of a folder, in which order, and what they must have in
common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_bitsnet.io.errors import UnreadableFile
from napari_bitsnet.io.image_file import ImageFile

_WILD = re.compile(r"[*?\[]")


def is_pattern(path: Path) -> bool:
    """Whether a path stands for several files, such as ``slices/*.png``, and for none of that very name."""
    return _WILD.search(str(path)) is not None and not path.exists()


def files_of_pattern(path: Path) -> list[Path]:
    """Return the files that a pattern stands for, in the order of their numbers."""
    return in_order(file for file in _matching(path) if file.is_file() and not file.name.startswith("."))


def folders_of_pattern(path: Path) -> list[Path]:
    """Return the folders that a pattern stands for."""
    return [folder for folder in _matching(path) if folder.is_dir()]


def files_of_folder(folder: Path) -> list[Path]:
    """Return the files of a folder that are not hidden, in the order of their numbers."""
    return in_order(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))


def in_order(paths: object) -> list[Path]:
    """Sort paths so that ``slice2`` comes before ``slice10``."""
    return sorted(paths, key=lambda path: _natural(str(path)))  # type: ignore[call-overload]


def stacked(read: Callable[[Path], ImageFile], paths: Sequence[Path]) -> ImageFile:
    """Read files as the slices of a stack, along a first axis Z.

    Parameters
    ----------
    read : callable
        Reads one of them.
    paths : sequence of Path
        In order. A single one is read as it is.

    Raises
    ------
    UnreadableFile
        If one cannot be read, is a stack itself, or has another size, type or meaning than the first.
    """
    first = read(paths[0])
    if len(paths) == 1:
        return first
    folder = paths[0].parent
    if first.array.ndim > 2 + (first.axes is not None and "C" in first.axes):
        raise UnreadableFile(
            "files of one slice each", f"{paths[0]} of shape {first.array.shape}", "name one file"
        )
    array = np.empty((len(paths), *first.array.shape), first.array.dtype)
    notices = dict.fromkeys(first.notices)
    array[0] = first.array
    for k, path in enumerate(paths[1:], 1):
        file = read(path)
        if _kind(file) != _kind(first):
            raise UnreadableFile(
                "slices of one size and type",
                f"{paths[0].name} {_said(first)} and {path.name} {_said(file)} in {folder}",
                "name those that belong together by a pattern in quotes, for example 'slice*.tif'",
            )
        if array.dtype != file.array.dtype:  # missing pixels in some
            array = array.astype(np.result_type(array.dtype, file.array.dtype))
        array[k] = file.array
        notices |= dict.fromkeys(file.notices)
    integers = first.stored if array.dtype != first.stored else None
    return replace(
        first,
        array=array,
        axes=None if first.axes is None else f"Z{first.axes}",
        path=folder,
        notices=tuple(notices),
        indices=None,
        integers=integers,
    )


def _matching(path: Path) -> Iterator[Path]:
    parts = path.parts
    first = next(k for k, part in enumerate(parts) if _WILD.search(part))
    return Path(*parts[:first]).glob("/".join(parts[first:]))


def _kind(file: ImageFile) -> tuple[object, ...]:
    return file.array.shape, file.stored, file.axes, file.black, file.encoding


def _said(file: ImageFile) -> str:
    return f"({'x'.join(map(str, file.array.shape))}, {file.stored})"


def _natural(text: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if k % 2 else (-1, part) for k, part in enumerate(parts)]
