"""Convert messages to the names of settings and methods in the form."""

from __future__ import annotations

import re

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.wording import name_settings
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS
from napari_bitsnet.widgets.forms.fields import label_of
from napari_bitsnet.widgets.forms.task_form import IN_SIGHT

MENUS = ("method", "preset", "device")
"""Fields of `RunSettings` with a menu of their own."""

RUN_OPTIONS = ("seconds", "size_limit", "seed", "n_seeds")
"""Fields of `RunSettings` under More options."""


def in_form(text: str, task: str) -> str:
    """Return a message with ``name=value`` as ``"Label: value"`` and where that is, and with titles for
    names.

    Parameters
    ----------
    text : str
        Message, warning or error.
    task : str
        Name of the task that the form shows.
    """
    options = TASKS.get(task).Config.model_fields

    def say(name: str, value: str) -> str | None:
        if name in options:
            place = "" if name in IN_SIGHT else " (under More options)"
            return f'"{label_of(name, options[name])}: {value}"{place}'
        if name in MENUS:
            return f'"{name.capitalize()}: {title_of(value) if name == "method" else value}"'
        if name in RUN_OPTIONS:
            return f'"{label_of(name, RunSettings.model_fields[name])}: {value}" (under More options)'
        for method in METHODS:
            fields = METHODS.get(method).Config.model_fields
            if name in fields:
                return f'"{label_of(name, fields[name])}: {value}" (under Settings of the method)'
        return None

    return name_methods(name_settings(text, say))


def name_methods(text: str) -> str:
    """Return a message with methods and tasks by their titles: ``use ica``, ``(task "separate")``."""
    methods = "|".join(sorted(METHODS, key=len, reverse=True))
    text = re.sub(rf"\b(use|by|is) ({methods})\b", lambda found: f'{found[1]} "{title_of(found[2])}"', text)
    tasks = "|".join(TASKS)
    return re.sub(rf'\btask "({tasks})"', lambda found: f'task "{TASKS.get(found[1]).title}"', text)


def title_of(method: str) -> str:
    """Return a method's title; an unknown name is returned unchanged."""
    return METHODS.get(method).title if method in METHODS.names() else method
