"""Read a table of runs: a row a run, a column an input or a setting."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.cli.job import Job
from napari_bitsnet.cli.options import Given, read_value
from napari_bitsnet.cli.parts import PARTS
from napari_bitsnet.cli.task_command import settle
from napari_bitsnet.cli.wording import RUN_OPTIONS
from napari_bitsnet.core.spelling import suggestion
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

FILES = ("image", "hints", "mask")
"""Columns of one file; further mixtures are image_1, image_2, …"""
NUMBERED = re.compile(r"(image|guide|truth)_([1-9]\d*)")
"""Columns of several files."""


@dataclass(frozen=True)
class Row:
    """One run of a table.

    Parameters
    ----------
    line : int
        Line of the table, from 1.
    settings : RunSettings
        Of the run.
    job : Job
        Its files.
    """

    line: int
    settings: RunSettings
    job: Job


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

    Raises
    ------
    ValueError
        If there is no such table, it has no rows, or a column is unknown.
    """
    cells = list(_cells(path))
    if not cells:
        raise ValueError(f"Expected a table with a row for each run, got {path} without rows.")
    rows, faults = [], []
    for line, row in cells:
        try:
            rows.append(_row(line, row, path.absolute().parent, report))
        except (ValueError, OSError) as error:
            faults.append(f"line {line}: {error}")
    lines: dict[str, list[int]] = {}
    for made in rows:
        lines.setdefault(made.job.stem.lower(), []).append(made.line)
    faults += [
        f"line {line}: Expected images of different names, got {stem} in line {first} as well: rename one."
        for stem, (first, *others) in lines.items()
        for line in others
    ]
    return Table(tuple(rows), tuple(sorted(faults, key=lambda text: int(text.split()[1].rstrip(":")))))


def _cells(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line of each row and its cells that are not empty, by column."""
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
    names: list[str] = []
    for row in reader:
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if not names:
            names = cells
            _check_columns(names)
            continue
        if len(cells) > len(names) and any(cells[len(names) :]):
            raise ValueError(
                f"Expected {len(names)} cells in line {reader.line_num}, as there are columns, got "
                f"{len(cells)}: put a text that has a {separator!r} into double quotes."
            )
        yield reader.line_num, {name: cell for name, cell in zip(names, cells, strict=False) if cell}


def _check_columns(names: Sequence[str]) -> None:
    """Raise a ValueError for a column that is unknown, without a name, or there twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"Expected each column once, got {twice[0] or 'one without a name'!r} twice.")
    known = _known_columns()
    for name in names:
        if name not in known and not NUMBERED.fullmatch(name):
            raise ValueError(
                f"Unknown column {name!r}.{suggestion(name, known)} Known are image, image_1 …, guide_1 …, "
                "hints, mask, truth_1 …, task, and the settings of run, task and method "
                "(napari-bitsnet list METHOD)."
            )
    if "image" not in names and "image_1" not in names:
        raise ValueError(f"Expected a column image, got {', '.join(names)}: it names the file of each run.")


def _known_columns() -> list[str]:
    settings = [name for task in TASKS for name in TASKS.get(task).Config.model_fields]
    settings += [name for method in METHODS for name in METHODS.get(method).Config.model_fields]
    examples = ("image_1", "guide_1", "guide_2", "truth_1", "task")
    return list(dict.fromkeys([*FILES, *examples, *PARTS, *RUN_OPTIONS, *settings]))


def _row(line: int, cells: Mapping[str, str], folder: Path, report: bool) -> Row:
    name = cells.get("task", "separate").replace("-", "_")
    task = TASKS.get(name)
    given = dict(cells)
    given.pop("task", None)
    values: dict[str, Any] = {
        "inputs": [folder / text for text in _numbered(given, "image")],
        "guide": [
            text if text.lower() == "none" else str(folder / text) for text in _numbered(given, "guide")
        ],
        "truth": [folder / text for text in _numbered(given, "truth")],
        "settings": None,
        "candidates": False,
        "report": report,
    }
    if "image" in given:
        values["inputs"].insert(0, folder / given.pop("image"))
    if not values["inputs"]:
        raise ValueError("Expected the name of a file in the column image, got none.")
    taken = {each.name: each for each in task.inputs}
    if len(values["inputs"]) > 1 and not taken["mixture"].many:
        raise ValueError(f"Expected one image for the task {name}, got {len(values['inputs'])}.")
    for column in ("hints", "mask"):
        if column in given:
            values[column] = folder / given.pop(column)
    for column, field in (("guide", "guides"), ("hints", "hints"), ("mask", "mask")):
        if values.get(column) and field not in taken:
            raise ValueError(f"Expected no {column} for the task {name}, which makes no use of any.")
    if values["truth"] and not report:
        raise ValueError(
            "Expected --report with the columns truth_1 …, got none: that is where scores stand."
        )
    values |= _settings(given, task.Config, folder)
    settings, jobs = settle(name, values)
    jobs[0].check_present()
    return Row(line, settings, jobs[0])


def _numbered(given: dict[str, str], kind: str) -> list[str]:
    """Take the cells of ``kind_1``, ``kind_2`` … out; empty ones between them are ``none``."""
    found = {
        int(m[2]): given.pop(name) for name in list(given) if (m := NUMBERED.fullmatch(name)) and m[1] == kind
    }
    count = max(found, default=0)
    absent = [k for k in range(1, count + 1) if k not in found]
    if absent and kind != "guide":
        raise ValueError(f"Expected {kind}_{absent[0]} beside {kind}_{count}, got none.")
    return [found.get(k, "none") for k in range(1, count + 1)]


def _settings(given: Mapping[str, str], config: Any, folder: Path) -> dict[str, Any]:
    """Return the settings of a row as the parameters of the task's command."""
    values: dict[str, Any] = dict.fromkeys((*PARTS, *RUN_OPTIONS, *config.model_fields))
    assignments = []
    for name, text in given.items():
        if name in ("series", "page"):
            values[name] = _index(name, text)
        elif name in PARTS:
            values[name] = text
        elif name in RUN_OPTIONS:
            values[name] = Given(read_value(text, name, RunSettings.model_fields[name]))
        elif name in config.model_fields:
            field = config.model_fields[name]
            values[name] = Given(read_value(_placed(text, field, folder), name, field))
        else:
            owners = [METHODS.get(each).Config.model_fields for each in METHODS]
            fields = next((fields for fields in owners if name in fields), None)
            assignments.append(f"{name}={text if fields is None else _placed(text, fields[name], folder)}")
    return {**values, "set": assignments}


def _index(name: str, text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"Expected {name} as a number from 0, got {text!r}.")
    return int(text)


def _placed(text: str, field: FieldInfo, folder: Path) -> str:
    """Return the path of a setting that names a file as seen from the table; other settings as they are."""
    is_path = Path in (field.annotation, *get_args(field.annotation))
    return str(folder / text) if is_path and text.lower() != "none" else text
