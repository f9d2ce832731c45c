"""Find the right place of settings that were given in a wrong one."""

from __future__ import annotations

from collections.abc import Iterable

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS


def place_of_options(names: Iterable[str], settings: RunSettings) -> str:
    """Return a sentence about unknown options that are settings of a method; empty if none is.

    Parameters
    ----------
    names : iterable of str
        Unknown options.
    settings : RunSettings
        Settings of the run, whose method is checked first.
    """
    methods = [settings.method, *METHODS] if settings.method in METHODS.names() else list(METHODS)
    words = []
    for name in names:
        owner = next((m for m in methods if name in METHODS.get(m).Config.model_fields), None)
        if owner is not None:
            words.append(
                f" {name!r} is a setting of the method {owner}: settings={{{name!r}: …}}, on the command "
                f"line --set {name}=…."
            )
    return "".join(words)


def place_of_settings(names: Iterable[str], settings: RunSettings) -> str:
    """Return a sentence about unknown settings of the method that are options of the task or of the run."""
    options = TASKS.get(settings.task.replace("-", "_")).Config.model_fields
    words = []
    for name in names:
        flag = f"--{name.replace('_', '-')}"
        if name in options:
            words.append(
                f" {name!r} is an option of the task {settings.task}: {name}=…, on the command line {flag}."
            )
        elif name in RunSettings.model_fields:
            words.append(f" {name!r} belongs to the run, not to the method: {name}=…, or {flag}.")
    return "".join(words)
