"""Form for method, preset and settings; methods that cannot solve the problem are left out."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container, PushButton
from psygnal import Signal

from napari_bitsnet.core.config import Config
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.methods import METHODS, Method
from napari_bitsnet.tasks import Task
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.form import ConfigForm
from napari_bitsnet.widgets.forms.menu import Entry, Menu
from napari_bitsnet.widgets.forms.rows import labelled
from napari_bitsnet.widgets.forms.section import Section
from napari_bitsnet.widgets.wording import in_form

AUTO = "auto"

PRESET_HINTS = {
    "quick": "A first look.",
    "balanced": "A good result in reasonable time.",
    "best": "The best result, without a limit of time.",
    "paper": "The equations of the paper.",
    "official": "The released code of the paper.",
}


class MethodForm(Container):
    """Method, preset and settings.

    Settings start as the preset's; what is changed by hand stays until another preset or method is chosen.

    Parameters
    ----------
    preset : str
        Preset to start with.
    """

    edited = Signal()
    """Emitted after any change of method, preset or settings."""

    def __init__(self, *, preset: str = "balanced") -> None:
        self._first_preset, self._default = preset, ""
        self._form: ConfigForm | None = None
        self.method = Menu(
            only_suitable=True,
            label="Method",
            tooltip=tooltip("Method of separation; those that do not fit the inputs are behind Show all."),
        )
        self.preset = Menu(label="Preset", tooltip=tooltip("Named settings, from fast to thorough."))
        self._restore = PushButton(
            text="Restore the preset's settings", tooltip=tooltip("Undo all changes made below.")
        )
        self._settings: Container[Any] = Container(widgets=[self._restore], labels=False)
        self._settings.margins = (4, 0, 0, 0)
        self.section = Section(
            "Settings of the method", self._settings, page="reference/generated/methods.md"
        )
        super().__init__(widgets=[self.method, labelled(self.preset), self.section], labels=False)
        self.margins = (0, 0, 0, 0)
        self.method.changed.connect(self._on_method)
        self.preset.changed.connect(self._on_preset)
        self._restore.changed.connect(self._on_preset)

    @property
    def resolved(self) -> str:
        """Return the name of the method that will run; never ``"auto"``."""
        return self._default if self.method.value == AUTO else str(self.method.value)

    @property
    def form(self) -> ConfigForm:
        """Fields of the settings of the chosen method."""
        return self._shown_form()

    @property
    def config(self) -> Config:
        """Return the method's settings as shown.

        Raises
        ------
        ValueError
            If a field cannot be read.
        """
        return self._shown_form().config

    def config_class(self, name: str) -> type[Config]:
        """Class of a method's settings; of ``"auto"``, the method's that the task would choose."""
        return METHODS.get(self._default if name == AUTO else name).Config

    def changes(self) -> dict[str, Any]:
        """Settings, by name, that differ from the preset's."""
        return self._shown_form().changes(self._preset_config())

    def apply(self, method: str, preset: str, changes: dict[str, Any]) -> None:
        """Choose method, preset and changed settings.

        Raises
        ------
        ValueError
            If one is unknown, out of range, or does not fit the problem.
        """
        self.method.choose(method)
        self.preset.choose(preset)
        self._shown_form().config = self._preset_config().updated(changes)

    def show_methods(self, task: Task, traits: Traits) -> None:
        """Offer the methods for a problem, keeping choice and settings where they still fit."""
        before = self.resolved
        self._default = task.default_method(traits)
        entries = [
            Entry(f"{METHODS.get(self._default).title} (auto)", AUTO, METHODS.get(self._default).summary)
        ]
        for name in METHODS.names():
            method = METHODS.get(name)
            reason = make_default(name).unsupported_reason(traits)
            words = None if reason is None else in_form(reason, task.name)
            entries.append(Entry(method.title, name, method.summary, words))
        self.method.offer(entries, self.method.value or AUTO)
        if self.resolved != before:
            self._on_method()

    def _on_method(self) -> None:
        presets = METHODS.get(self.resolved).presets
        entries = [Entry(name, name, PRESET_HINTS.get(name, "")) for name in presets]
        self.preset.offer(entries, self.preset.value or self._first_preset)
        self._on_preset()

    def _on_preset(self) -> None:
        """Show the preset's settings, in a new form where the method is another one."""
        config = self._preset_config()
        if self._form is not None and self._form.config_class is type(config):
            self._form.config = config
            return
        if self._form is not None:
            self._settings.remove(self._form)
        self._form = ConfigForm(config)
        self._form.changed.connect(self._on_settings)
        self._settings.insert(0, self._form)
        self._on_settings()

    def _on_settings(self) -> None:
        try:
            count = len(self.changes())
        except ValueError:  # a field is being typed in; the run will say what is wrong with it
            count = -1
        title = "Settings of the method"
        self.section.retitle(f"{title} ({count} changed)" if count > 0 else title)
        self._restore.enabled = count != 0
        self.edited.emit()

    def _preset_config(self) -> Config:
        return METHODS.get(self.resolved).presets[str(self.preset.value)]

    def _shown_form(self) -> ConfigForm:
        if self._form is None:
            raise ValueError("Expected a task to be shown first: call show_methods.")
        return self._form


def make_default(name: str) -> Method:
    """Return a method with its default settings."""
    method = METHODS.get(name)
    return method(method.Config())
