"""Use the record of a result layer: repeat the run here or elsewhere, and save."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import Container, PushButton
from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtWidgets import QApplication

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.form import ConfigForm
from napari_bitsnet.widgets.forms.rows import plain
from napari_bitsnet.widgets.forms.section import Section
from napari_bitsnet.widgets.layers.parts import METADATA_KEY
from napari_bitsnet.widgets.results.recipes import as_command, as_python
from napari_bitsnet.widgets.results.saving import SaveOptions


class RecordBar(Container):
    """Buttons for the record of a result, greyed if there is none, and options for saving.

    The record is that of the selected layer; if this is no result, that of the topmost result.

    Parameters
    ----------
    viewer : napari.Viewer
        Viewer whose selection is followed.
    """

    settings_wanted = Signal(dict)
    """Emitted with the record whose settings the form should show."""
    save_wanted = Signal()
    files: ConfigForm
    """The `SaveOptions`."""
    copied = Signal(str)
    """Emitted with the text that was copied to the clipboard."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self.use = PushButton(
            text="Use its settings",
            tooltip=tooltip(
                "Fill the form with the layers, slice, region, method and settings of the selected result; "
                "of the topmost one where none is selected."
            ),
        )
        self.python = PushButton(text="As Python", tooltip=tooltip("Copy Python code that repeats the run."))
        self.command = PushButton(
            text="As command", tooltip=tooltip("Copy a command line that repeats the run.")
        )
        self.save = PushButton(
            text="Save…",
            tooltip=tooltip(
                "Write the selected result to a folder as it is on the screen, with a preview and its "
                "record; the last run's where none is selected."
            ),
        )
        self.files = ConfigForm(SaveOptions())
        rows = [
            plain([self.use, self.save], layout="horizontal"),
            plain([self.python, self.command], layout="horizontal"),
            Section("File format", self.files),
        ]
        super().__init__(widgets=rows, labels=False)
        self.margins = (0, 0, 0, 0)
        self.use.changed.connect(lambda: self.settings_wanted.emit(self.record))
        self.python.changed.connect(lambda: self._copy(as_python))
        self.command.changed.connect(lambda: self._copy(as_command))
        self.save.changed.connect(lambda: self.save_wanted.emit())
        viewer.layers.selection.events.active.connect(self.reset)
        viewer.layers.events.removed.connect(self.reset)
        self.reset()

    @property
    def of_selected(self) -> dict[str, Any]:
        """Return the record of the selected layer; {} if it is not a finished result."""
        layer = self._viewer.layers.selection.active
        return {} if layer is None else _finished_record(layer)

    @property
    def record(self) -> dict[str, Any]:
        """Return the record of the selected layer or, if it is not a finished result, of the topmost one that
        is; {} without any."""
        found = (_finished_record(layer) for layer in reversed(self._viewer.layers))
        return self.of_selected or next(filter(None, found), {})

    def reset(self, *_: Any) -> None:
        """Enable the buttons if there is a result."""
        if not isalive(self.native):  # the dock was closed, the viewer goes on
            return
        known = bool(self.record)
        self.use.enabled = self.python.enabled = self.command.enabled = known

    def _copy(self, write: Callable[[dict[str, Any]], str]) -> None:
        text = write(self.record)
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        self.copied.emit(text)


def _finished_record(layer: Any) -> dict[str, Any]:
    record = layer.metadata.get(METADATA_KEY, {})
    return dict(record) if "settings" in record else {}
