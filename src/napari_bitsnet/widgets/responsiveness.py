"""What keeps the viewer answering while another thread computes; both are put back when no run is under way."""

from __future__ import annotations

import gc
import sys

SWITCH = 5e-4
"""Seconds after which a thread that computes in Python lets another one go on; Python's own choice is ten times as long."""

_before: list[float] = []


def favour_viewer() -> None:
    """Begin; once for any number of runs at the same time.

    A full garbage collection walks through all of napari's objects, a quarter of a second in which nothing else happens: those
    that are there already wait until the runs are over. And drawing calls the graphics library hundreds of times a
    layer; after each call it may have to wait for the other thread to let go.
    """
    if not _before:
        _before.append(sys.getswitchinterval())
        sys.setswitchinterval(SWITCH)
        gc.freeze()


def treat_alike() -> None:
    """Put back what `favour_viewer` has changed."""
    if _before:
        sys.setswitchinterval(_before.pop())
        gc.unfreeze()
