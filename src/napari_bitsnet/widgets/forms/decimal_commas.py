"""Decimal commas: numbers are written with a point everywhere, and a comma that is typed becomes one."""

from __future__ import annotations

from typing import Any, cast

from qtpy.QtCore import QEvent, QLocale, QObject
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QApplication, QDoubleSpinBox, QLineEdit, QWidget


class DecimalCommas(QObject):
    """Turns commas into points where they are typed or pasted into a box for numbers.

    Qt's boxes accept the one separator of the computer's language only.

    Parameters
    ----------
    box : QDoubleSpinBox
        It owns this object.
    """

    def __init__(self, box: QDoubleSpinBox) -> None:
        super().__init__(box)
        box.setLocale(QLocale.c())
        self._line = cast(QLineEdit, box.lineEdit())  # every box has one
        self._line.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: Any) -> bool:
        """Insert a point for a comma."""
        if event is None or event.type() != QEvent.Type.KeyPress:
            return False
        if event.matches(QKeySequence.StandardKey.Paste):
            clipboard = QApplication.clipboard()
            text = "" if clipboard is None else clipboard.text().strip()
        else:
            text = event.text()
        if "," not in text:
            return False
        self._line.insert(text.replace(",", "."))
        return True


def accept_commas(widget: QWidget) -> None:
    """Accept decimal commas in all boxes for numbers inside a widget."""
    boxes = [widget] if isinstance(widget, QDoubleSpinBox) else widget.findChildren(QDoubleSpinBox)
    for box in boxes:
        DecimalCommas(box)
