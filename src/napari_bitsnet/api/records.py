"""The record of a run (``run.json``), read back to repeat it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_bitsnet.api.settings import RunSettings


def read_record(path: str | Path) -> dict[str, Any]:
    """Read what `save_result` recorded.

    Parameters
    ----------
    path : str or Path
        ``<stem>_run.json``, or a result's ``provenance`` written as JSON.

    Returns
    -------
    dict
        With at least ``"settings"``.

    Raises
    ------
    ValueError
        If it cannot be read or is no such record.
    """
    advice = "name the run.json that an earlier run wrote"
    try:
        record = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"Expected the record of a run, got {path} ({error.strerror}): {advice}.") from error
    except ValueError as error:
        raise ValueError(f"Expected the record of a run as JSON, got {path} ({error}): {advice}.") from error
    if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
        raise ValueError(f'Expected the record of a run with "settings", got {path} without: {advice}.')
    return record


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
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"Expected a record of this version, got other settings ({problems}).") from None
    cut_short = record.get("stop_reason") in ("stopped", "time") and record.get("planes", 1) == 1
    if cut_short and record.get("iterations"):
        settings = settings.updated({"iterations": record["iterations"], "seconds": None})
    return settings
