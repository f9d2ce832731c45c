"""Guard late callbacks, whose widget or viewer may have been closed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from qtpy.compat import isalive


def while_alive(widget: Any, answer: Callable[..., object]) -> Callable[..., None]:
    """Return a function that calls `answer` until Qt deletes a widget, and then does nothing.

    Parameters
    ----------
    widget : magicgui Widget
        It goes with its dock or its window; to touch it then is an error, which ends the process under PyQt6.
    answer : callable
        For timers and workers, whose answers may come later.
    """

    @wraps(answer)
    def passed(*args: Any) -> None:
        if isalive(widget.native):
            answer(*args)

    return passed


def is_open(viewer: Any) -> bool:
    """Return True if a viewer has not been closed; a model without a window counts as open.

    Layers that are added to a closed viewer end the process: its controls are gone.
    """
    window = getattr(viewer, "window", None)
    if window is None:
        return True
    try:
        window.geometry()  # the public part of napari's window that needs Qt's
    except (AttributeError, RuntimeError):  # napari has taken it away, or Qt has deleted it
        return False
    return True
