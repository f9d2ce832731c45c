"""A row of a table of runs: its files and its settings, with all that is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.cli.job import Job
from napari_bitsnet.cli.options import Given, read_value
from napari_bitsnet.cli.parts import PARTS
from napari_bitsnet.cli.task_command import settle
from napari_bitsnet.cli.wording import RUN_OPTIONS, in_cells
from napari_bitsnet.io.read import present
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

NUMBERED = re.compile(r"(image|guide|truth)_([1-9]\d*)")
"""Columns of several files."""

_FURTHER = {"guide": "guides", "hints": "hints", "mask": "mask"}
"""Columns beside the images, and the names of the inputs that tasks declare."""


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


class Faults(list[str]):
    """Faults of a row, as sentences; one does not keep others from being found."""

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Add the error that ends what is inside, if any, and go on after it."""
        try:
            yield
        except (ValueError, OSError) as error:
            self.append(in_cells(error))


def read_row(line: int, cells: Mapping[str, str], folder: Path, *, report: bool) -> tuple[Row | None, Faults]:
    """Read a row of a table: its files exist, its settings are valid, its method fits.

    Parameters
    ----------
    line : int
        Of the table, from 1.
    cells : mapping of str to str
        Those that are not empty, by column.
    folder : Path
        From which relative paths start.
    report : bool
        Whether reports are written, which ``truth_1`` … need.

    Returns
    -------
    row : Row or None
        None if there is a fault.
    faults : Faults
        Each fault that can be told without the others.
    """
    given, faults = dict(cells), Faults()
    name = given.pop("task", "separate").replace("-", "_")
    values = _files(given, folder, faults)
    values |= {"settings": None, "candidates": False, "report": report}
    with faults.noted():
        TASKS.get(name)
    if name in TASKS.names():
        _check_inputs(name, values, faults)
        values |= _settings(given, name, folder, faults)
    for path in [*values["inputs"], *values["guide"], *values["truth"], values["hints"], values["mask"]]:
        if path not in (None, "none"):
            with faults.noted():
                present(path)
    if name not in TASKS.names() or not values["inputs"]:
        return None, faults
    settled = _settle(name, values, faults)
    return (None if settled is None or faults else Row(line, *settled)), faults


def _files(given: dict[str, str], folder: Path, faults: Faults) -> dict[str, Any]:
    """Take the cells of files out, and return them as the parameters of a task's command."""
    images, guides, truths = (_numbered(given, kind, faults) for kind in ("image", "guide", "truth"))
    if "image" in given:
        images.insert(0, given.pop("image"))
    if not images:
        faults.append("Expected the name of a file in the column image, got none.")
    return {
        "inputs": [folder / text for text in images],
        "guide": [text if text.lower() == "none" else str(folder / text) for text in guides],
        "truth": [folder / text for text in truths],
        **{mark: folder / given.pop(mark) if mark in given else None for mark in ("hints", "mask")},
    }


def _numbered(given: dict[str, str], kind: str, faults: Faults) -> list[str]:
    """Take the cells of ``kind_1``, ``kind_2`` … out; guides that are left out between them are ``none``."""
    found = {
        int(m[2]): given.pop(name) for name in list(given) if (m := NUMBERED.fullmatch(name)) and m[1] == kind
    }
    count = max(found, default=0)
    if kind == "guide":
        return [found.get(k, "none") for k in range(1, count + 1)]
    absent = [k for k in range(1, count + 1) if k not in found]
    if absent:
        faults.append(f"Expected {kind}_{absent[0]} beside {kind}_{count}, got none.")
    return [found[k] for k in sorted(found)]


def _check_inputs(name: str, values: dict[str, Any], faults: Faults) -> None:
    """See that a task makes use of the files; those that it does not are taken out."""
    taken = {each.name: each for each in TASKS.get(name).inputs}
    if len(values["inputs"]) > 1 and not taken["mixture"].many:
        faults.append(f"Expected one image for the task {name}, got {len(values['inputs'])}.")
    for column, declared in _FURTHER.items():
        if values[column] and declared not in taken:
            faults.append(f"Expected no {column} for the task {name}, which makes no use of any.")
            values[column] = [] if column == "guide" else None
    if values["truth"] and not values["report"]:
        faults.append("Expected --report with the columns truth_1 …, got none: that is where scores stand.")
        values["truth"] = []


def _settings(given: Mapping[str, str], task: str, folder: Path, faults: Faults) -> dict[str, Any]:
    """Return the settings of a row as the parameters of the task's command, without those that are faulty."""
    fields = {**TASKS.get(task).Config.model_fields}
    fields |= {name: RunSettings.model_fields[name] for name in RUN_OPTIONS}
    values: dict[str, Any] = dict.fromkeys((*PARTS, *fields))
    assignments = []
    for name, text in given.items():
        with faults.noted():
            if name in ("series", "page"):
                values[name] = _index(name, text)
            elif name in PARTS:
                values[name] = text
            elif name in fields:
                values[name] = Given(read_value(_placed(text, fields[name], folder), name, fields[name]))
            else:
                owners = [METHODS.get(each).Config.model_fields for each in METHODS]
                own = next((owned[name] for owned in owners if name in owned), None)
                assignments.append(f"{name}={text if own is None else _placed(text, own, folder)}")
    return {**values, "set": assignments}


def _settle(name: str, values: Mapping[str, Any], faults: Faults) -> tuple[RunSettings, Job] | None:
    """Return settings and files of a row; if that fails, look at the method's settings one by one."""
    try:
        settings, jobs = settle(name, values)
    except ValueError as error:
        found, alone = Faults(), {**values, "set": []}
        with found.noted():
            settle(name, alone)
        if found:  # a preset may be the fault
            alone["preset"] = None
        for assignment in values["set"]:
            with found.noted():
                settle(name, {**alone, "set": [assignment]})
        faults += dict.fromkeys(found or [in_cells(error)])
        return None
    return settings, jobs[0]


def _index(name: str, text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"Expected {name} as a number from 0, got {text!r}.")
    return int(text)


def _placed(text: str, field: FieldInfo, folder: Path) -> str:
    """Return the path of a setting that names a file as seen from the table; other settings as they are."""
    is_path = Path in (field.annotation, *get_args(field.annotation))
    return str(folder / text) if is_path and text.lower() != "none" else text
