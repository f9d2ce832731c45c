"""Rows of a form: a label on the left, a field on the right, all labels of one width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import CheckBox, Container, Label
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QFrame, QLabel, QMainWindow, QScrollArea, QSizePolicy, QWidget

from napari_bitsnet.widgets.forms.font_following import CHANGES, FollowFont, scaled, widest_word

LABEL_WIDTH = 64
"""Pixels in the usual font; of the rows that are always shown."""

FORM_WIDTH = 288
"""Least width of the form, pixels."""

SCALED_WIDTH = 380
"""Width up to which the form grows with the font, pixels."""

MOST_WIDTH = 440
"""Width up to which it grows for rows that need it, pixels: about a third of a small laptop's screen."""

FRAME = 4
"""Pixels that styles leave around the scroll bar."""


class Text(Label):
    """Words that are broken into lines, and ask for the height these need in the narrowest form.

    Qt gives wrapped labels in a scroll area the height of fewer lines than they have.
    """

    def __init__(self, text: str = "", *, width: int = FORM_WIDTH - 20, fixed: bool = False) -> None:
        self._narrowest, self._fixed = width, fixed  # before anything is shown
        super().__init__(value="")
        self.native.setWordWrap(True)
        self.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.value = text
        FollowFont(self.native, self._fit)

    def set_value(self, value: str) -> None:
        """Show `value`."""
        super().set_value(value)
        self._fit()

    def _fit(self) -> None:
        """Ask for the room that the words need in the font as it is; lines are broken at spaces only."""
        text, native = str(self.value), self.native
        room = scaled(self._narrowest, native)
        words = widest_word(text, native) + 2 if "<" not in text else 0
        if self._fixed:
            narrowest = max(room, words)
            native.setFixedWidth(narrowest)
        else:
            words = min(words, room)  # the path of a file has no spaces
            narrowest = max(self._narrowest, words)
            native.setMinimumWidth(max(words, 40))  # else Qt asks for a width of its own choice
        native.setMinimumHeight(native.heightForWidth(narrowest) if text else 0)


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
    label = Text(field.label, width=width, fixed=True)
    label.tooltip = field.tooltip
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
    # sideways only in fonts that are larger than the form was made for: better than words that are cut off
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
    area.setMinimumWidth(FORM_WIDTH)
    area.setWidget(form.native)
    FitWidth(area, form.native)
    return area


class FitWidth(QObject):
    """Keeps an area as wide as its form needs in the font as it is, so that it does not scroll sideways.

    Parameters
    ----------
    area : QScrollArea
        It owns this object.
    form : QWidget
        Widget in the area.
    """

    def __init__(self, area: QScrollArea, form: QWidget) -> None:
        super().__init__(area)
        self._area, self._form = area, form
        form.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow the form's width after its layout or its font has changed."""
        if event is not None and event.type() in (QEvent.Type.LayoutRequest, *CHANGES):
            self._fit()
        return False

    def _fit(self) -> None:
        bar: Any = self._area.verticalScrollBar()
        needed = self._form.minimumSizeHint().width() + bar.sizeHint().width() + FRAME
        text: Any = self._form.findChild(QLabel) or self._form  # napari sets the font of labels
        width = min(max(min(scaled(FORM_WIDTH, text), SCALED_WIDTH), needed), MOST_WIDTH)
        if width != self._area.minimumWidth():
            self._area.setMinimumWidth(width)
            QTimer.singleShot(0, self._widen)

    def _widen(self) -> None:
        """Widen the dock around the area: napari's docks may be narrower than what is in them."""
        if not isalive(self._area):
            return
        dock: QWidget | None = self._area
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parentWidget()
        if dock is None or dock.isFloating():
            return
        window, lacking = dock.parentWidget(), self._area.minimumWidth() - self._area.width()
        if isinstance(window, QMainWindow) and lacking > 0:
            window.resizeDocks([dock], [dock.width() + lacking], Qt.Orientation.Horizontal)


def widest(fields: Sequence[Any], most: int = 120) -> int:
    """Width in pixels for the labels of these fields, at most `most` (longer ones are wrapped)."""
    labels = [Label(value=field.label) for field in fields if not isinstance(field, CheckBox)]
    hints = [label.native.fontMetrics().horizontalAdvance(label.value) + 6 for label in labels]
    return min(max([0, *hints]), most)
