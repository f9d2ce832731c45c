"""Order of the Tab key: from top to bottom as the form is laid out, whenever its rows were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QScrollArea, QWidget


class TabOrder(QObject):
    """Keeps the order of the Tab key as that of the layout; Qt's own is the order in which widgets were made.

    Parameters
    ----------
    root : QWidget
        Widget that is passed through; it owns this object.
    watched : sequence of QWidget
        Widgets whose rows change.
    """

    def __init__(self, root: QWidget, watched: Sequence[QWidget]) -> None:
        super().__init__(root)
        self._root = root
        self._set: list[QWidget] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.renew)
        for widget in watched:
            widget.installEventFilter(self)
        self._timer.start()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Renew the order once after the layout has changed."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._timer.start()
        return False

    def renew(self) -> None:
        """Set the order, if there are other fields or they lie in another order."""
        if not isalive(self._root):
            return
        fields = tab_stops(self._root)
        if fields == self._set:
            return
        for one, other in pairwise(fields):
            QWidget.setTabOrder(one, other)
        self._set = fields


def tab_stops(root: QWidget) -> list[QWidget]:
    """Return all widgets that the Tab key reaches once they are shown, from top to bottom."""
    return list(_stops(root))


def _stops(widget: Any) -> Iterator[QWidget]:
    if isinstance(widget, QScrollArea):
        yield from _stops(widget.widget())
    elif widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield widget
    elif widget.layout() is not None:
        yield from _items(widget.layout())


def _items(layout: Any) -> Iterator[QWidget]:
    for k in range(layout.count()):
        item = layout.itemAt(k)
        if item.widget() is not None:
            yield from _stops(item.widget())
        elif item.layout() is not None:
            yield from _items(item.layout())
