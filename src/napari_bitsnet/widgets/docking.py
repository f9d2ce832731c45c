"""Place the docks of this package: the second one is a tab beside the first."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

OURS = "napari-bitsnet dock"
"""Qt's name of the widgets in the docks of this package."""


def tabify(native: QWidget) -> bool:
    """Put a widget's dock into tabs with another dock of this package; return True if there is one.

    Parameters
    ----------
    native : QWidget
        Widget in a dock of napari's window. A dock that floats, or that lies elsewhere, is left alone.
    """
    native.setObjectName(OURS)
    own = _dock_of(native)
    window = None if own is None else own.parentWidget()
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    if own is None or window is None or own.isFloating():
        return False
    for other in window.findChildren(QWidget, OURS):
        dock = _dock_of(other)
        if dock is None or dock is own or dock.isFloating():
            continue
        same_side = window.dockWidgetArea(dock) == window.dockWidgetArea(own)
        if same_side and own not in window.tabifiedDockWidgets(dock):
            window.tabifyDockWidget(dock, own)
            own.show()
            own.raise_()
            return True
    return False


def _dock_of(widget: Any) -> QDockWidget | None:
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
