"""Read the record of a run (``run.json``) to repeat it."""

from __future__ import annotations

import json
import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from napari_bitsnet.api.settings import RunSettings

_ADVICE = "name the run.json that an earlier run wrote"
FilePath = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00]+$")]
"""Path of a file, as text."""


class RecordedInputs(BaseModel):
    """Files of a recorded run; empty if the images were not files."""

    model_config = ConfigDict(strict=True)

    mixture: list[FilePath] = Field(default_factory=list)
    guides: list[FilePath | None] = Field(default_factory=list)
    hints: FilePath | None = None
    mask: FilePath | None = None
    contents: dict[str, str | None] = Field(default_factory=dict)
    part: dict[Literal["series", "page", "slices"], int | str] = Field(default_factory=dict)


class Record(BaseModel):
    """Parts of a record that repeat a run; a record may have more entries."""

    model_config = ConfigDict(strict=True, extra="allow")

    settings: dict[str, Any]
    inputs: RecordedInputs = Field(default_factory=RecordedInputs)
    iterations: int | None = Field(None, ge=0)
    stop_reason: str | None = None
    planes: int = Field(1, ge=1)
    candidate: int | None = Field(None, ge=1)
    complete: bool = True


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a record of `save_results`.

    Parameters
    ----------
    path : str or Path
        ``<stem>_run.json``, or a result's ``provenance`` written as JSON; in UTF-8, UTF-16 or UTF-32, with or
        without a byte-order mark.

    Returns
    -------
    dict
        With at least the fields of `Record`, those that are absent with their defaults.

    Raises
    ------
    ValueError
        If it cannot be read or is no such record; the message names the part that is not as it has to be.
    """
    try:
        content = json.loads(Path(path).expanduser().read_bytes())
    except OSError as error:
        raise ValueError(
            f"Expected the record of a run, got {path} ({error.strerror}): {_ADVICE}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected the record of a run as JSON, got {path} ({error}): {_ADVICE}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
        raise ValueError(f'Expected the record of a run with "settings", got {path} without: {_ADVICE}.')
    if content.get("inputs", {}) is None:
        content["inputs"] = {}
    try:
        record = Record.model_validate(content)
    except ValidationError as error:
        raise ValueError(
            f"Expected the record of a run as it was written, got {path} with {_problems(error)}: correct "
            f"it, or {_ADVICE}."
        ) from None
    return record.model_dump()


def recorded_settings(record: dict[str, Any]) -> RunSettings:
    """Return the settings that repeat a recorded run to the same arrays.

    A run of one image that the clock or the user ended is repeated up to the iteration that it had reached.

    Raises
    ------
    ValueError
        If the record's settings are not those of this version.
    """
    try:
        settings = RunSettings.model_validate(record["settings"])
    except ValidationError as error:
        raise ValueError(
            f"Expected a record of this version, got other settings ({_problems(error)})."
        ) from None
    cut_short = record.get("stop_reason") in ("stopped", "time") and record.get("planes", 1) == 1
    if cut_short and record.get("iterations"):
        settings = settings.updated({"iterations": record["iterations"], "seconds": None})
    return settings


def _problems(error: ValidationError) -> str:
    """Say which entries are wrong and why."""
    return "; ".join(
        f"{'.'.join(map(str, entry['loc']))}: {entry['msg']} (got {reprlib.repr(entry['input'])})"
        for entry in error.errors()
    )
