"""Drop-down lists narrower than their entries: texts are elided in the middle and shown in full on demand."""

from __future__ import annotations

import html
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QStyle, QStyleOptionComboBox, QStylePainter, QToolTip

MARGIN = 4
"""Pixels that styles leave around the text."""

PADDING = 20
"""Pixels around the entries of an open list."""


class Elided(QObject):
    """Draw a closed list with its text elided in the middle; the open list is as wide as its entries.

    The tooltip begins with the whole text where it is cut.

    Parameters
    ----------
    combo : QComboBox
        Lives as long as this does.
    """

    def __init__(self, combo: Any) -> None:
        super().__init__(combo)
        self._combo = combo
        self._combo.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        combo.installEventFilter(self)

    @property
    def text(self) -> str:
        """Return the chosen entry as it is drawn."""
        return str(self._option().currentText)

    def eventFilter(self, combo: Any, event: Any) -> bool:
        """Draw, answer a tooltip, or widen the list before it opens."""
        kind = event.type()
        if kind == QEvent.Type.Paint:
            self._draw()
            return True
        if kind in (QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress):
            view = self._combo.view()
            metrics = view.fontMetrics()
            texts = [self._combo.itemText(row) for row in range(self._combo.count())]
            bar = view.verticalScrollBar().sizeHint().width()
            view.setMinimumWidth(max(map(metrics.horizontalAdvance, texts), default=0) + PADDING + bar)
        if kind == QEvent.Type.ToolTip and self.text != self._combo.currentText():
            whole = html.escape(self._combo.currentText())
            QToolTip.showText(event.globalPos(), f"<p><b>{whole}</b></p>{self._combo.toolTip()}", self._combo)
            return True
        return False

    def _option(self) -> QStyleOptionComboBox:
        option = QStyleOptionComboBox()
        self._combo.initStyleOption(option)
        part = QStyle.SubControl.SC_ComboBoxEditField
        field = self._combo.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, part, self._combo
        )
        option.currentText = self._combo.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideMiddle, max(0, field.width() - MARGIN)
        )
        return option

    def _draw(self) -> None:
        painter = QStylePainter(self._combo)
        painter.setPen(self._combo.palette().color(QPalette.ColorRole.Text))
        option = self._option()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
