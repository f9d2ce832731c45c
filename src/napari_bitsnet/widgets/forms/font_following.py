"""Widths that follow the font: napari's font size can be changed at any time, and widths in pixels hold for
one of them."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

REFERENCE_HEIGHT = 16
"""Height in pixels of a line of text in the font for which widths in pixels were chosen."""

CHANGES = (QEvent.Type.FontChange, QEvent.Type.StyleChange, QEvent.Type.Polish)


class FollowFont(QObject):
    """Calls a function now, and again whenever a widget's font has changed.

    Parameters
    ----------
    widget : QWidget
        It owns this object.
    follow : callable
        Sets sizes from the widget's font.
    """

    def __init__(self, widget: QWidget, follow: Callable[[], None]) -> None:
        super().__init__(widget)
        self._follow = follow
        self._seen: tuple[int, int] | None = None
        self._widget = widget
        widget.installEventFilter(self)
        self._look()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """See to it that what was set still holds."""
        if event is not None and event.type() in CHANGES:
            self._look()
        return False

    def _look(self) -> None:
        key = self._widget.fontMetrics().height(), self._widget.fontMetrics().averageCharWidth()
        if key != self._seen:  # what is set below makes Qt tell of changes, too
            self._seen = key
            self._follow()


def scaled(width: int, widget: QWidget) -> int:
    """Return a width in pixels, chosen for the usual font, for the font of a widget; never less than it."""
    return max(width, round(width * widget.fontMetrics().height() / REFERENCE_HEIGHT))


def widest_word(text: str, widget: QWidget) -> int:
    """Width in pixels that the longest word needs, so that lines are broken at spaces only."""
    metrics = widget.fontMetrics()
    return max((metrics.horizontalAdvance(word) for word in text.split()), default=0)
