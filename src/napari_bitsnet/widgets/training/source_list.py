"""List of folders and zips of images, with buttons to add and remove entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from magicgui.widgets import Container, PushButton, Select
from qtpy.QtWidgets import QFileDialog

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.rows import plain

HEIGHT = 72
"""Height of the list in pixels: three or four lines, with a scroll bar for more."""


class SourceList(Container):
    """Folders and zips; ``changed`` is emitted when an entry is added or removed.

    Parameters
    ----------
    description : str
        Purpose of the images.
    """

    def __init__(self, description: str = "") -> None:
        self._paths: list[Path] = []
        # a function, since magicgui goes back to the first choices whenever the widget gets a new parent
        self._select = Select(
            choices=lambda _: [(f"{path.name}  ({path.parent})", path) for path in self._paths],
            tooltip=tooltip(description),
        )
        self._select.native.setFixedHeight(HEIGHT)
        self._select.native.setMinimumWidth(60)
        self.folder = PushButton(text="Add folder…")
        self.zip = PushButton(text="Add zips…")
        self.less = PushButton(text="Remove", tooltip=tooltip("Remove the selected entries."))
        buttons = plain([self.folder, self.zip, self.less], layout="horizontal")
        super().__init__(widgets=[self._select, buttons], labels=False)
        self.margins = (0, 0, 0, 0)
        self.folder.changed.connect(self._ask_for_folder)
        self.zip.changed.connect(self._ask_for_zips)
        self.less.changed.connect(lambda: self.take_off(self.selected))
        self._select.changed.connect(self._enable)
        self._show()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return the entries in order."""
        return tuple(self._paths)

    @property
    def selected(self) -> tuple[Path, ...]:
        """Return the selected entries."""
        return tuple(self._select.value)

    def add(self, paths: Sequence[Path | str]) -> None:
        """Add folders or zips; existing entries stay."""
        self._paths = list(dict.fromkeys([*self._paths, *map(Path, paths)]))
        self._show()

    def take_off(self, paths: Sequence[Path]) -> None:
        """Remove entries."""
        self._paths = [path for path in self._paths if path not in paths]
        self._show()

    def _show(self) -> None:
        with self.changed.blocked():
            self._select.reset_choices()
            self._select.value = []
        self._enable()
        self.changed.emit(self)

    def _enable(self) -> None:
        self.less.enabled = bool(self.selected)

    def _ask_for_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.native, "Folder of images")
        if folder:
            self.add([folder])

    def _ask_for_zips(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self.native, "Zips of images", "", "Zips (*.zip)")
        self.add(files)
