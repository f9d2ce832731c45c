"""Values of the last run of each task, which fill its form the next time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_bitsnet.widgets.preferences import Preferences
from napari_bitsnet.widgets.remembered import entry, recall, remember

if TYPE_CHECKING:
    from napari_bitsnet.api.settings import RunSettings
    from napari_bitsnet.widgets.forms.device_box import DeviceBox
    from napari_bitsnet.widgets.forms.form import ConfigForm
    from napari_bitsnet.widgets.forms.method_form import MethodForm
    from napari_bitsnet.widgets.forms.task_form import TaskForm

FILE = "last_used"


class LastUsed:
    """Remembers tasks with their options, method and settings, the device, and the options of runs.

    A preference that was changed since then has priority.

    Parameters
    ----------
    preferences : Preferences
        Current preferences.
    """

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = asdict(preferences)
        self._known = recall(FILE)
        before: dict[str, Any] = entry(self._known, "preferences", {})
        self._changed = {
            name for name, value in self._preferences.items() if before.get(name, value) != value
        }

    @property
    def task(self) -> str:
        """Return the name of the last task; empty without one."""
        return entry(self._known, "task", "")

    def fill(self, device: DeviceBox, run_options: ConfigForm, names: Iterable[str]) -> None:
        """Fill device and run options; values that no longer fit are left out."""
        used = entry(self._known, "device", "")
        if used and "device" not in self._changed:
            device.choose(used)
        options: dict[str, Any] = entry(self._known, "run_options", {})
        for name in names:
            if name not in options or name in self._changed:
                continue
            try:
                run_options.config = run_options.config.updated({name: options[name]})
            except ValueError:
                continue

    def fill_task(self, task: TaskForm, method: MethodForm) -> None:
        """Fill options, method and settings of the shown task; values that no longer fit are left out."""
        tasks: dict[str, Any] = entry(self._known, "tasks", {})
        used: dict[str, Any] = entry(tasks, task.task_name, {})
        if not used:
            return
        try:
            task.apply(task.task_name, entry(used, "options", {}))
            same = "preset" not in self._changed
            preset = entry(used, "preset", "") if same else str(method.preset.value)
            method.apply(entry(used, "method", ""), preset, entry(used, "settings", {}) if same else {})
        except (KeyError, ValueError):  # of another version, or a method that does not fit these inputs
            return

    def keep(self, settings: RunSettings, method: str, names: Iterable[str]) -> None:
        """Remember the settings of a run, the name of the method as it was chosen, and the options `names` of
        the run."""
        used = {
            "options": settings.options,
            "method": method,
            "preset": settings.preset,
            "settings": settings.settings,
        }
        run = settings.model_dump(mode="json")
        known: dict[str, Any] = {
            "preferences": self._preferences,
            "task": settings.task,
            "device": settings.device,
            "run_options": {name: run[name] for name in names},
            "tasks": {**entry(self._known, "tasks", {}), settings.task: used},
        }
        if known != self._known:
            self._known, self._changed = known, set()
            remember(FILE, known)
