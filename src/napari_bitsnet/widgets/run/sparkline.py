"""Small curve of the loss of a run."""

from __future__ import annotations

import math

from qtpy.QtCore import QPointF, QSize
from qtpy.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

MOST = 400
"""Largest number of points; when there are more, every second one is removed."""

HEIGHT = 28
"""Height of the curve in pixels: two lines of text."""


class Sparkline(QWidget):
    """A curve in the colour of the text.

    Parameters
    ----------
    logarithmic : bool
        Whether the scale is logarithmic; numbers that are not positive are then left out.
    """

    def __init__(self, *, logarithmic: bool = True) -> None:
        super().__init__()
        self._logarithmic = logarithmic
        self._points: list[tuple[int, float]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Loss so far, logarithmic" if logarithmic else "Loss so far")

    def sizeHint(self) -> QSize:
        """Return a small height, and the available width."""
        return QSize(100, HEIGHT)

    @property
    def points(self) -> list[tuple[int, float]]:
        """Return the steps and losses of the curve."""
        return list(self._points)

    def clear(self) -> None:
        """Remove all points."""
        self._points = []
        self.update()

    def add(self, step: int, loss: float) -> None:
        """Add a point, unless it is not finite (or not positive on a logarithmic scale)."""
        if not math.isfinite(loss) or (self._logarithmic and loss <= 0):
            return
        self._points.append((step, loss))
        if len(self._points) > MOST:
            self._points = self._points[::2]
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the curve."""
        if len(self._points) < 2:
            return
        steps = [step for step, _ in self._points]
        heights = [math.log(loss) if self._logarithmic else loss for _, loss in self._points]
        span, height = (max(steps) - min(steps)) or 1, (max(heights) - min(heights)) or 1.0
        width, drop = self.width() - 4, self.height() - 4
        curve = QPolygonF(
            [
                QPointF(2 + width * (step - min(steps)) / span, 2 + drop * (max(heights) - value) / height)
                for step, value in zip(steps, heights, strict=True)
            ]
        )
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().text().color(), 1.5))
        painter.drawPolyline(curve)
        painter.end()
