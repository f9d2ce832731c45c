"""Convert messages for the command line: settings become flags, or cells of a table."""

from __future__ import annotations

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.wording import name_settings
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

RUN_OPTIONS = ("method", "preset", "seed", "n_seeds", "device", "axes", "size_limit", "iterations", "seconds")
"""Fields of `RunSettings` that every task's command has."""

FILES = ("format", "depth")
"""Flags about what is written."""


def in_flags(text: object, task: str) -> str:
    """Return a message with ``name=value`` as ``--name value``, or ``--set name=value`` for the method's
    settings.

    Parameters
    ----------
    text : object
        Message, warning or exception.
    task : str
        Of the command.
    """
    options = TASKS.get(task.replace("-", "_")).Config.model_fields

    def say(name: str, value: str) -> str | None:
        flag = f"--{name.replace('_', '-')}"
        field = options.get(name) or (RunSettings.model_fields[name] if name in RUN_OPTIONS else None)
        if field is not None and field.annotation is bool:
            return flag if value.lower() == "true" else f"--no-{flag[2:]}"
        if field is not None or name in FILES:
            return f"{flag} {value}"
        if any(name in METHODS.get(method).Config.model_fields for method in METHODS):
            return f"--set {name}={value}"
        return None

    return name_settings(str(text), say)


def in_cells(text: object) -> str:
    """Return a message with ``name="value"`` as ``name=value``: the column of a table and its cell.

    Parameters
    ----------
    text : object
        Message, warning or exception.
    """

    def say(name: str, value: str) -> str:
        return f"--{name} {value}" if name in FILES else f"{name}={value}"

    return name_settings(str(text), say)
