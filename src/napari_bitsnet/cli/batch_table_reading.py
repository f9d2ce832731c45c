"""Read a table of runs: a row a run, a column an input or a setting."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_bitsnet.cli.batch_table_rows import NUMBERED, Row, read_row
from napari_bitsnet.cli.parts import PARTS
from napari_bitsnet.cli.wording import RUN_OPTIONS
from napari_bitsnet.core.spelling import suggestion
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

FILES = ("image", "hints", "mask")
"""Columns of one file; further mixtures are image_1, image_2, …"""


@dataclass(frozen=True)
class Table:
    """Rows of a table, and its faults as sentences that begin with the line."""

    rows: tuple[Row, ...]
    faults: tuple[str, ...]


def read_table(path: Path, *, report: bool = False) -> Table:
    """Read a table and check each row: its files exist, its settings are valid, its method fits.

    Parameters
    ----------
    path : Path
        CSV with commas, semicolons or tabs, in UTF-8. The first line names the columns: ``image`` or
        ``image_1`` …, ``guide_1`` …, ``hints``, ``mask``, ``truth_1`` …, ``task``, and settings of run, task
        and method. Empty cells are settings that are not given. Paths are relative to the table.
    report : bool
        Whether reports are written, which ``truth_1`` … need.

    Returns
    -------
    Table
        Rows without a fault, and all faults. Columns that are unknown are faults of the first line; the rows
        are read without them.

    Raises
    ------
    ValueError
        If there is no such table, or it has no rows.
    """
    (first, names), *lines = list(_lines(path)) or [(1, [])]
    if not lines:
        raise ValueError(f"Expected a table with a row for each run, got {path} without rows.")
    known = _known_columns()
    faults = [(first, fault) for fault in _faults_of_columns(names, known)]
    rows: dict[str, list[Row]] = {}
    for line, cells in lines if _names_images(names) else ():  # else no row has an image, as is said above
        if any(cells[len(names) :]):
            told = (
                f"Expected {len(names)} cells, one for each column, got {len(cells)}: put a text that has a "
            )
            faults.append((line, f"{told}separator into double quotes."))
        given = {
            name: cell for name, cell in zip(names, cells, strict=False) if cell and _is_known(name, known)
        }
        row, found = read_row(line, given, path.absolute().parent, report=report)
        faults += [(line, fault) for fault in found]
        if row is not None:
            rows.setdefault(row.job.stem.lower(), []).append(row)
    faults += [
        (
            each.line,
            f"Expected images of different names, got {stem} in line {same[0].line} as well: rename one.",
        )
        for stem, same in rows.items()
        for each in same[1:]
    ]
    return Table(
        tuple(sorted((row for same in rows.values() for row in same), key=lambda row: row.line)),
        tuple(f"line {line}: {fault}" for line, fault in sorted(faults, key=lambda fault: fault[0])),
    )


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line that is not empty, and its cells."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"Expected a table, got {path} ({error.strerror}): check the path.") from None
    except UnicodeDecodeError:
        raise ValueError(
            f"Expected a table in UTF-8, got {path} in another encoding: save it as UTF-8."
        ) from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=separator)
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield reader.line_num, cells


def _faults_of_columns(names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the first line: columns that are unknown, or there twice, and no image."""
    for name, count in Counter(names).items():
        if count > 1:
            yield f"Expected each column once, got {name or 'one without a name'!r} {count} times."
    unknown = [name for name in dict.fromkeys(names) if not _is_known(name, known)]
    if unknown:
        guesses = "".join(suggestion(name, known) for name in unknown)
        yield (
            f"Unknown column {', '.join(map(repr, unknown))}.{guesses} Known are image, image_1 …, guide_1 "
            "…, hints, mask, truth_1 …, task, and the settings of run, task and method (napari-bitsnet list "
            "METHOD)."
        )
    if not _names_images(names):
        yield f"Expected a column image, got {', '.join(names)}: it names the file of each run."


def _names_images(names: Sequence[str]) -> bool:
    return "image" in names or "image_1" in names


def _is_known(name: str, known: Sequence[str]) -> bool:
    return name in known or NUMBERED.fullmatch(name) is not None


def _known_columns() -> list[str]:
    settings = [name for task in TASKS for name in TASKS.get(task).Config.model_fields]
    settings += [name for method in METHODS for name in METHODS.get(method).Config.model_fields]
    examples = ("image_1", "guide_1", "guide_2", "truth_1", "task")
    return list(dict.fromkeys([*FILES, *examples, *PARTS, *RUN_OPTIONS, *settings]))
