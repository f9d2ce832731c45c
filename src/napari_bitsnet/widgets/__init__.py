"""napari dock that runs the tasks with live layers, and the same functions for scripts."""

from __future__ import annotations

from napari_bitsnet.widgets.scripted import separate_layer

__all__ = ["separate_layer"]
