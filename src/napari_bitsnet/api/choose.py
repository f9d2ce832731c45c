"""Make the task and the method of a run, and check their settings."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from napari_bitsnet.api.misplaced import place_of_options, place_of_settings
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.core.config import UnknownSetting
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.core.spelling import suggestion
from napari_bitsnet.methods import METHODS, Method
from napari_bitsnet.tasks import TASKS, Inputs, Task


def make_task(settings: RunSettings) -> Task:
    """Return the task with its options checked.

    Raises
    ------
    ValueError
        If the task or an option is unknown, or an option is out of range.
    """
    task = TASKS.get(settings.task.replace("-", "_"))  # as the command line spells it
    try:
        return task(task.Config().updated(settings.options))
    except UnknownSetting as error:
        also = [*(field.name for field in fields(Inputs)), *RunSettings.model_fields]
        told = UnknownSetting(error.names, error.known, also)
        raise ValueError(f"{told}{place_of_options(error.names, settings)}") from None


def make_method(settings: RunSettings, task: Task, traits: Traits) -> Method:
    """Return the method with its settings checked.

    Raises
    ------
    ValueError
        If method, preset or a setting is unknown, or the method cannot solve such a problem.
    """
    name = task.default_method(traits) if settings.method == "auto" else settings.method
    method = METHODS.get(name)
    if settings.preset not in method.presets:
        guess = suggestion(settings.preset, method.presets)
        raise ValueError(
            f"Unknown preset {settings.preset!r} of {name}.{guess} Known: {', '.join(method.presets)}."
        )
    try:
        made = method(method.presets[settings.preset].updated(settings.settings))
    except UnknownSetting as error:
        raise ValueError(f"{error}{place_of_settings(error.names, settings)}") from None
    reason = made.unsupported_reason(traits)
    if reason is not None:
        fitting = [
            n for n in METHODS if METHODS.get(n)(METHODS.get(n).Config()).unsupported_reason(traits) is None
        ]
        if reason.split(" ")[0].istitle():  # a word, not a name such as BITS-Net
            reason = reason[0].lower() + reason[1:]
        whose = tasks_of(name)
        where = "" if task.name in whose or not whose else f" It is for the task {' or '.join(whose)}."
        raise ValueError(
            f"{made.title} cannot solve this: {reason}{where} Methods that can: {', '.join(fitting)}."
        )
    return made


def tasks_of(method: str) -> list[str]:
    """Return the names of the tasks that a method can solve; see `fitting_methods`."""
    return [name for name in TASKS if method in fitting_methods(name)]


def fitting_methods(task: str) -> dict[str, str]:
    """Return the methods that can solve a task, with or without its optional inputs, and what they need.

    Returns
    -------
    dict
        Name of the method, and ``"with weights of your own"`` or an empty text.
    """
    full = full_traits(task)
    optional = {each.name for each in TASKS.get(task).inputs if not each.required}
    without = replace(full, has_hints=full.has_hints and "hints" not in optional)
    fitting = {}
    for name in METHODS:
        method = METHODS.get(name)
        own = {"weights": Path("FILE")} if "weights" in method.Config.model_fields else {}
        for need, given in (("", {}), ("with weights of your own", own)):
            made = method(method.Config().updated(given))
            if any(made.unsupported_reason(traits) is None for traits in (full, without)):
                fitting[name] = need
                break
    return fitting


def full_traits(task: str) -> Traits:
    """Return the traits of the problems of a task with its default settings and all its inputs."""
    entry = TASKS.get(task)
    names = {i.name: i for i in entry.inputs}
    several = "mixture" in names and names["mixture"].many
    return entry(entry.Config()).traits(
        n_observations=2 if several else 1, n_guides=2 if "guides" in names else 0, has_hints="hints" in names
    )
