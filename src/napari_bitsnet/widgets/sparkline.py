"""The loss of a run as a small curve: whether it still falls is easier to see than to read."""

from __future__ import annotations

import math

from qtpy.QtCore import QPointF, QSize
from qtpy.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

MOST = 400
"""Points kept; when there are more, every second one is dropped."""

HEIGHT = 28


class Sparkline(QWidget):
    """A curve of positive numbers on a logarithmic scale, in the colour of the text."""

    def __init__(self) -> None:
        super().__init__()
        self._points: list[tuple[int, float]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Loss so far, logarithmic")

    def sizeHint(self) -> QSize:
        """As wide as there is room, and low."""
        return QSize(100, HEIGHT)

    @property
    def points(self) -> list[tuple[int, float]]:
        """Steps and losses shown."""
        return list(self._points)

    def clear(self) -> None:
        """Forget all."""
        self._points = []
        self.update()

    def add(self, step: int, loss: float) -> None:
        """Add a point; what is not positive and finite is left out."""
        if not (math.isfinite(loss) and loss > 0):
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
        logs = [math.log(loss) for _, loss in self._points]
        span, height = (max(steps) - min(steps)) or 1, (max(logs) - min(logs)) or 1.0
        width, drop = self.width() - 4, self.height() - 4
        curve = QPolygonF(
            [
                QPointF(2 + width * (step - min(steps)) / span, 2 + drop * (max(logs) - log) / height)
                for step, log in zip(steps, logs, strict=True)
            ]
        )
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().text().color(), 1.5))
        painter.drawPolyline(curve)
        painter.end()
