"""Settings that were given in the wrong place: where they belong."""

from __future__ import annotations

from collections.abc import Iterable

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS


def place_of_options(names: Iterable[str], settings: RunSettings) -> str:
    """Say of names that are no options of the task which are settings of a method; empty if none is.

    Parameters
    ----------
    names : iterable of str
        Unknown options.
    settings : RunSettings
        Of the run: its method is looked at first.
    """
    methods = [settings.method, *METHODS] if settings.method in METHODS.names() else list(METHODS)
    words = []
    for name in names:
        owner = next((m for m in methods if name in METHODS.get(m).Config.model_fields), None)
        if owner is not None:
            words.append(
                f" {name!r} is a setting of the method {owner}: settings={{{name!r}: …}}, on the command line "
                f"--set {name}=…."
            )
    return "".join(words)


def place_of_settings(names: Iterable[str], settings: RunSettings) -> str:
    """Say of names that are no settings of the method which are options of the task or of the run itself."""
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
