"""Keys of the dock: Ctrl+Enter runs, F1 opens the help on the selected field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QApplication, QWidget

from napari_bitsnet.widgets.forms.help import open_nearest_help


def add_shortcuts(native: QWidget, run: Callable[[], Any]) -> None:
    """Let the keys work wherever the focus is in a dock.

    Parameters
    ----------
    native : QWidget
        Widget of the dock, which owns the shortcuts.
    run : callable
        Starts a run.
    """
    keys = {
        "Ctrl+Return": run,
        "Ctrl+Enter": run,
        "F1": lambda: open_nearest_help(QApplication.focusWidget()),
    }
    for key, function in keys.items():
        shortcut = QShortcut(QKeySequence(key), native)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(function)
