"""Watch the chosen layer of hints, and report changes after the brush has rested for a moment."""

from __future__ import annotations

from typing import Any

from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer

REST_MS = 350
"""Milliseconds without a change after which hints are reported."""

EVENTS = ("paint", "data", "labels_update", "set_data")
"""Events of a Labels layer: after strokes, new data, single brush marks, and undone strokes."""


class LiveHints:
    """Watches one Labels layer at a time.

    Parameters
    ----------
    parent : QObject
        Owner of the timer.
    """

    changed = Signal()
    """Emitted when the layer may have changed and has rested since."""

    def __init__(self, parent: QObject) -> None:
        self._layer: Any = None
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(lambda: self.changed.emit())

    @property
    def layer(self) -> Any:
        """Return the watched layer, or None."""
        return self._layer

    def follow(self, layer: Any) -> None:
        """Watch another layer, or none; a new layer is reported as well."""
        if layer is self._layer or (layer is not None and layer == self._layer):
            return
        if self._layer is not None:
            for name in EVENTS:
                getattr(self._layer.events, name).disconnect(self._wait)
        self._layer = layer
        self._timer.stop()
        if layer is not None:
            for name in EVENTS:
                getattr(layer.events, name).connect(self._wait)
            self._timer.start()

    def settle(self) -> None:
        """Discard the changes so far."""
        self._timer.stop()

    def _wait(self, event: Any = None) -> None:
        if not isalive(self._timer):  # the dock was closed, the layer goes on
            return
        self._timer.start()
