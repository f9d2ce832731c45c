"""Nothing is replaced that is an input, or that no earlier run of the same name wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from napari_bitsnet.api.export.folders import folding
from napari_bitsnet.api.export.names import PossibleNames, plain_names
from napari_bitsnet.io.read import would_read
from napari_bitsnet.io.writers import WRITERS

SHOWN = 5
"""So many names are listed in a message."""


def check_outputs(
    folder: Path,
    names: PossibleNames,
    *,
    inputs: Iterable[str | Path] = (),
    records: Iterable[str] = (),
    ours: Iterable[str] = (),
    data: Iterable[Path] = (),
) -> None:
    """See that writing files to a folder replaces no input, and no file but those of earlier runs; before any
    work.

    Parameters
    ----------
    folder : Path
        Must exist; see `check_writable`.
    names : PossibleNames
        Of the files to be written.
    inputs : iterable of path
        All files that are read, of every run of a batch: none of them may be written, whatever path it is
        named by (links, relative paths, another case), and no output may lie among the files of a folder or a
        pattern, since a later run would read it, too; see `would_read`.
    records : iterable of str
        Names of records, beside those of runs (``…_run.json``), whose files are ours.
    ours : iterable of str
        Names of files that are known to be ours without a record.
    data : iterable of Path
        Folders that are read with all that is below them.

    Raises
    ------
    ValueError
        Naming the files.
    """
    is_output = names.matcher(folding(folder))
    there = [Path(entry.path) for entry in os.scandir(folder) if is_output(entry.name)]
    given = dict.fromkeys(map(_path, inputs))  # relative and absolute are one
    examples = names.examples()
    around = [path for path in given if would_read(path, folder, examples)]
    around += [path for path in map(_path, data) if _is_below(folder, path)]
    if around:
        raise ValueError(
            f"Expected outputs apart from what is read, got {folder} for the outputs and {_listed(around)} "
            "to read, so that a later run would read the outputs, too: choose another folder for them."
        )
    read = [path for path in given if _is_read_and_written(path, folder, there, is_output)]
    if read:
        raise ValueError(
            f"Expected outputs that replace no input, got {_listed(read)} both to read and to write: choose "
            "another folder or name for the outputs."
        )
    known = set(ours)
    for path in [
        *(path for path in there if path.name.endswith("_run.json")),
        *map(folder.joinpath, records),
    ]:
        known |= files_of(path) or set()
    foreign = [path for path in there if path.name not in known or _is_foreign_folder(path)]
    if foreign:
        raise ValueError(
            "Expected to write new files, or to replace those of an earlier run of this name, got "
            f"{_listed(foreign)} there already, which no record of a run lists: move what is there, or "
            "choose another folder or name."
        )


def files_of(record: Path) -> set[str] | None:
    """Return the names of the files that a record lists, its own among them; None if it is no record of
    ours."""
    try:
        content = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("complete"), bool):
        return None
    files = content.get("files")
    if not isinstance(files, dict) or not all(isinstance(name, str) for name in files.values()):
        return None
    return {record.name, *plain_names(files)}


def _is_read_and_written(
    path: Path, folder: Path, there: list[Path], is_output: Callable[[str], bool]
) -> bool:
    """Whether an input is among the outputs."""
    real, place = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    # the input itself, also where it is missing (an earlier run of the batch would make it), or an image's
    # folder around it
    if any(part.parent == place and is_output(part.name) for part in (real, *real.parents)):
        return True
    for output in there:
        with suppress(OSError):  # a link to nowhere
            if os.path.samefile(path, output):
                return True
    return False


def _is_below(folder: Path, other: Path) -> bool:
    """Whether it is another folder, or in one of its subfolders."""
    place, real = Path(os.path.realpath(folder)), Path(os.path.realpath(other))
    return real.is_dir() and (place == real or real in place.parents)


def _is_foreign_folder(path: Path) -> bool:
    """Whether it is a folder that no writer makes: nothing in it would be ours."""
    if not path.is_dir() or path.is_symlink():
        return False
    writers = [WRITERS.get(name) for name in WRITERS]
    return not any(writer.is_folder and path.name.endswith(writer.suffixes) for writer in writers)


def _path(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()


def _listed(paths: list[Path]) -> str:
    names = ", ".join(str(path) for path in paths[:SHOWN])
    return names if len(paths) <= SHOWN else f"{names} and {len(paths) - SHOWN} more"
