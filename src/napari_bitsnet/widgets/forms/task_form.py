"""Form for the task and its options; less common options are in a collapsible section."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container
from psygnal import Signal

from napari_bitsnet.tasks import TASKS, Task
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.form import ConfigForm
from napari_bitsnet.widgets.forms.help import help_button
from napari_bitsnet.widgets.forms.menu import Entry, Menu
from napari_bitsnet.widgets.forms.rows import LABEL_WIDTH, Text, plain

IN_SIGHT = ("n_sources", "mixing")
"""Options that are always shown, where a task has them."""

FIRST = ("separate", "xray", "multi_mixture")
"""Tasks at the top of the list; the others follow by name."""


class TaskForm(Container):
    """A list of tasks, a sentence on the chosen one, and its options."""

    task_changed = Signal()
    options_changed = Signal()

    def __init__(self) -> None:
        names = [*(n for n in FIRST if n in TASKS.names()), *(n for n in TASKS.names() if n not in FIRST)]
        entries = [Entry(TASKS.get(n).title, n, TASKS.get(n).summary) for n in names]
        self.menu = Menu(entries, label="Task", tooltip=tooltip("What do you have?"))
        self._summary = Text()
        self.main_options = plain([])
        self.more_options = plain([])
        self._forms: tuple[ConfigForm, ...] = ()
        help_ = help_button(lambda: f"tutorials/{self.task_name}.md")
        row = plain([self.menu, help_], layout="horizontal")  # the title of the fold is its label
        super().__init__(widgets=[row, self._summary], labels=False)
        self.margins = (0, 0, 0, 0)
        self.menu.changed.connect(self._on_task)
        self._show_task()

    @property
    def task_name(self) -> str:
        """Return the name of the chosen task."""
        return str(self.menu.value)

    def names(self) -> list[str]:
        """Names of all tasks."""
        return TASKS.names()

    @property
    def task(self) -> Task:
        """Return the task with its options as shown.

        Raises
        ------
        ValueError
            If an option cannot be read.
        """
        task = TASKS.get(self.task_name)
        config = task.Config()
        for form in self._forms:
            config = config.updated(form.changes(config))
        return task(config)

    @property
    def n_sources(self) -> int:
        """Number of sources; 2 where it is no option of the task."""
        return int(getattr(self.task.config, "n_sources", 2))

    def changed_options(self) -> dict[str, Any]:
        """Options, by name, that differ from the task's defaults."""
        config, default = (c.model_dump(mode="json") for c in (self.task.config, type(self.task.config)()))
        return {name: value for name, value in config.items() if value != default[name]}

    def apply(self, name: str, options: dict[str, Any]) -> None:
        """Choose a task and its options.

        Raises
        ------
        ValueError
            If one is unknown or out of range.
        """
        config = TASKS.get(name).Config().updated(options)
        self.menu.choose(name)
        for form in self._forms:
            form.config = config

    def _on_task(self) -> None:
        self._show_task()
        self.task_changed.emit()

    def _show_task(self) -> None:
        task = TASKS.get(self.task_name)
        self._summary.value = task.summary
        config = task.Config()
        names = list(task.Config.model_fields)
        self.main_options.clear()
        self.more_options.clear()
        shown = ConfigForm(config, only=[n for n in IN_SIGHT if n in names], label_width=LABEL_WIDTH)
        more = ConfigForm(config, only=[n for n in names if n not in IN_SIGHT])
        self._forms = (shown, more)
        for form, home in ((shown, self.main_options), (more, self.more_options)):
            form.changed.connect(lambda _=None: self.options_changed.emit())
            home.append(form)
