"""Work on the GUI's thread in small pieces: after each one Qt handles what has been waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qtpy.QtCore import QTimer

PAUSE_MS = 5
"""Milliseconds between two pieces, in which the window is drawn and answers."""


def in_turns(pieces: Iterator[object], then: Callable[[], None] = lambda: None) -> None:
    """Do the first piece now and each further one in a turn of its own of the event loop.

    Parameters
    ----------
    pieces : iterator
        Does a piece of work each time it is advanced.
    then : callable
        Called after the last one, also when one has failed.
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
