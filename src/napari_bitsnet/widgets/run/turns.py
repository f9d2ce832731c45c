"""Run a generator step by step on the Qt event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qtpy.QtCore import QTimer

PAUSE_MS = 5
"""Milliseconds between two steps, in which Qt draws the window and handles events."""


def in_turns(pieces: Iterator[object], then: Callable[[], None] = lambda: None) -> None:
    """Do the first step now, and each further one in a turn of its own of the event loop.

    Parameters
    ----------
    pieces : iterator
        Generator that does a part of the work in each step.
    then : callable
        Called after the last step, also after an error.
    """
    try:
        next(pieces)
    except StopIteration:
        then()
    except BaseException:
        then()
        raise
    else:
        QTimer.singleShot(PAUSE_MS, lambda: in_turns(pieces, then))
