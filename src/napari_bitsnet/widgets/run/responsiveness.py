"""What keeps the viewer answering while another thread computes; both are put back when no run is under
way."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading

SWITCH = 5e-4
"""Seconds after which a thread that computes in Python lets another one go on; Python's own choice is ten
times as long."""

COURTESY = 10
"""Niceness of a computing thread, and of the threads that PyTorch starts from it."""

_before: list[float] = []


def favour_viewer() -> None:
    """Give the viewer's thread priority; one call covers any number of runs.

    A full garbage collection walks through all of napari's objects, a quarter of a second in which nothing
    else happens: those that are there already wait until the runs are over. And drawing calls the graphics
    library hundreds of times a layer; after each call it may have to wait for the other thread to let go.
    """
    if not _before:
        _before.append(sys.getswitchinterval())
        sys.setswitchinterval(SWITCH)
        gc.freeze()


def step_back() -> None:
    """Let the viewer's thread go first where both want a core; to be called on the thread that computes.

    Where threads have priorities of their own (Linux); the thread keeps it, and computes as fast as before
    while nobody else wants the core.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), COURTESY)


def treat_alike() -> None:
    """Undo `favour_viewer`."""
    if _before:
        sys.setswitchinterval(_before.pop())
        gc.unfreeze()
