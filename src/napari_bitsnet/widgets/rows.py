"""Rows of a form: a label on the left, a field on the right, all labels of one width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import CheckBox, Container, Label
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy

LABEL_WIDTH = 64
"""Pixels; of the rows that are always shown."""

FORM_WIDTH = 288
"""Least width of the form, pixels."""


class Text(Label):
    """Words that are broken into lines, and ask for the height these need in the narrowest form.

    Qt gives wrapped labels in a scroll area the height of fewer lines than they have.
    """

    def __init__(self, text: str = "", *, width: int = FORM_WIDTH - 20) -> None:
        super().__init__(value="")
        self._narrowest = width
        self.native.setWordWrap(True)
        self.native.setMinimumWidth(min(width, 40))  # else Qt asks for a width of its own choice
        self.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.value = text

    def set_value(self, value: str) -> None:
        """Show `value`."""
        super().set_value(value)
        self.native.setMinimumHeight(self.native.heightForWidth(self._narrowest) if value else 0)


def plain(widgets: Sequence[Any], *, layout: str = "vertical", spacing: int = 4, **options: Any) -> Container:
    """Return a container without margins and without labels of its own."""
    container = Container(widgets=list(widgets), layout=layout, labels=False, **options)
    container.margins = (0, 0, 0, 0)
    container.native.layout().setSpacing(spacing)
    return container


def labelled(field: Any, width: int = LABEL_WIDTH) -> Container:
    """Put a field's label in front of it; tick boxes carry theirs themselves."""
    if isinstance(field, CheckBox):
        return plain([field])
    label = Text(field.label, width=width)
    label.tooltip = field.tooltip
    label.native.setFixedWidth(width)
    row = plain([label, field], layout="horizontal")
    row.native.layout().setAlignment(label.native, Qt.AlignmentFlag.AlignTop)
    label.native.setContentsMargins(0, 4, 0, 0)
    return row


def in_scroll_area(form: Container) -> QScrollArea:
    """Put a dock's form into an area that scrolls up and down, with its rows at the top."""
    form.native.layout().addStretch()
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setMinimumWidth(FORM_WIDTH)
    area.setWidget(form.native)
    return area


def widest(fields: Sequence[Any], most: int = 120) -> int:
    """Width in pixels for the labels of these fields, at most `most` (longer ones are wrapped)."""
    labels = [Label(value=field.label) for field in fields if not isinstance(field, CheckBox)]
    hints = [label.native.fontMetrics().horizontalAdvance(label.value) + 6 for label in labels]
    return min(max([0, *hints]), most)
