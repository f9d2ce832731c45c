"""The chosen hints layer is watched: what is painted is told once the brush has rested for a moment."""

from __future__ import annotations

from typing import Any

from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer

REST_MS = 350
"""Milliseconds without a change after which hints are taken up."""

EVENTS = ("paint", "data", "labels_update", "set_data")
"""A Labels layer's events after strokes, new data, single brush marks, and undone strokes."""


class LiveHints:
    """Follows one Labels layer at a time.

    Parameters
    ----------
    parent : QObject
        With it the timer goes.
    """

    changed = Signal()
    """Emitted when the layer may have changed and has been left alone since."""

    def __init__(self, parent: QObject) -> None:
        self._layer: Any = None
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(lambda: self.changed.emit())

    @property
    def layer(self) -> Any:
        """The layer that is followed, or None."""
        return self._layer

    def follow(self, layer: Any) -> None:
        """Follow another layer, or none; one that is new is told of as well."""
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
        """Forget changes up to now."""
        self._timer.stop()

    def _wait(self, event: Any = None) -> None:
        if not isalive(self._timer):  # the dock was closed, the layer goes on
            return
        self._timer.start()
