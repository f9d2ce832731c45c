"""Make a table of runs from a folder: images, and what belongs to them by the endings of names."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import typer

from napari_bitsnet.api.export.names import stem_of
from napari_bitsnet.api.export.overwriting import files_of
from napari_bitsnet.core.writing import atomically
from napari_bitsnet.io.readers import HEAD_BYTES, READERS
from napari_bitsnet.io.stack import in_order

_ENDING = re.compile(r"(.+)_(guide_[1-9]\d*|truth_[1-9]\d*|mask|hints)")


def make_table(folder: Path, path: Path) -> int:
    """Write a table with a row for each image of a folder, and return the number of rows.

    Parameters
    ----------
    folder : Path
        ``scan_guide_1.png``, ``scan_mask.png``, ``scan_hints.png`` and ``scan_truth_1.tif`` belong to
        ``scan.tif``. Files that an earlier run wrote are left out.
    path : Path
        Of the table, which must not exist.

    Raises
    ------
    ValueError
        If there is no such folder, no image in it, the table exists, or two files have one meaning.
    """
    if not folder.is_dir():
        raise ValueError(f"Expected a folder with images, got {folder}: check the path.")
    if path.exists():
        raise ValueError(f"Expected a new table, got {path}, which exists: name another one after --init.")
    images, parts = _sorted_files(folder)
    if not images:
        raise ValueError(f"Expected images in {folder}, got none that can be read.")
    for stem, found in list(parts.items()):
        if stem not in images:
            typer.echo(
                f"note: {', '.join(found.values())} left out, because there is no image {stem}", err=True
            )
            del parts[stem]
    columns = sorted({name for found in parts.values() for name in found})
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["image", *columns, "task"])
    base = path.absolute().parent
    for stem, name in images.items():
        found = {"image": name, **parts.get(stem, {})}
        paths = {column: _relative(folder.absolute() / one, base) for column, one in found.items()}
        task = "xray" if any(column.startswith("guide") for column in found) else "separate"
        writer.writerow([*(paths.get(column, "") for column in ("image", *columns)), task])
    with atomically(path) as part:
        part.write_text(file.getvalue(), encoding="utf-8")
    return len(images)


def _sorted_files(folder: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the names of images by their stem, and of what belongs to each by column."""
    written = {name for record in folder.glob("*_run.json") for name in files_of(record) or ()}
    images: dict[str, str] = {}
    parts: dict[str, dict[str, str]] = {}
    for path in in_order(folder.iterdir()):
        if path.name.startswith(".") or path.name in written or not _is_image(path):
            continue
        match = _ENDING.fullmatch(stem_of(path))
        place, key = (images, stem_of(path)) if match is None else (parts.setdefault(match[1], {}), match[2])
        if key in place:
            raise ValueError(f"Expected one of {place[key]} and {path.name}, got both: move one elsewhere.")
        place[key] = path.name
    return images, parts


def _is_image(path: Path) -> bool:
    if path.is_dir():
        return path.suffix.lower() == ".zarr"
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return any(READERS.get(name).recognises(path, head) for name in READERS)


def _relative(path: Path, base: Path) -> str:
    """Return a path as seen from the folder of the table, with slashes; absolute where it lies elsewhere."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
