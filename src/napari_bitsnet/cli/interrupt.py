"""Handle Ctrl-C, SIGTERM and a closed terminal (SIGHUP): the run keeps its best result and ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Self

_Handler = Callable[[int, FrameType | None], Any]
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]
"""Signals that ask a program to end; SIGBREAK is Windows' Ctrl-Break and its closed window."""


def exit_code(number: int) -> int:
    """Return the exit code of shells for a signal: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + number


def leave_at_once() -> None:
    """Let Ctrl-C end the program silently while it is still loading, because there is no result to keep.

    An exception would show a traceback from the middle of an import.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(exit_code(number)))


def leave_signals_to_the_main_process() -> None:
    """Ignore, in a process that works for another one, what a terminal sends to both; that one asks it to end
    or ends it."""
    for number in SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def ends_cleanly() -> Iterator[None]:
    """While active, signals end the program with their exit code and delete incomplete files."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(exit_code(number))

    before = _handle(leave)
    try:
        yield
    finally:
        _restore(before)


class Interrupt:
    """While active, the first signal sets ``requested``; a second Ctrl-C ends the program at once.

    Signals that the program was started to ignore (``nohup``, a shell's background jobs) stay ignored.

    Examples
    --------
    >>> with Interrupt() as interrupt:
    ...     interrupt()
    False
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}
        self._terminals: list[int] = []

    @property
    def requested(self) -> bool:
        """Whether the run is asked to end."""
        return self.number != 0

    @property
    def exit_code(self) -> int:
        """Return the exit code of an interrupted run."""
        return exit_code(self.number)

    def __call__(self) -> bool:
        """Whether the run is asked to end: the runner calls this after every iteration."""
        return self.requested

    def __enter__(self) -> Self:
        self._terminals = [descriptor for descriptor in (1, 2) if _is_terminal(descriptor)]
        self._before = _handle(self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _restore(self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise SystemExit(exit_code(number))
        first, self.number = not self.requested, self.number or number
        if number == getattr(signal, "SIGHUP", None):
            self._let_go_of_terminals()
        if first:
            # a closed terminal rejects output, and so does a stream that is being written
            with suppress(OSError, RuntimeError, ValueError):
                sys.stderr.write("\nStopping: what there is will be written. Ctrl-C again to quit without.\n")
                sys.stderr.flush()

    def _let_go_of_terminals(self) -> None:
        """Discard further output, because a closed terminal raises an error for every line."""
        for descriptor in self._terminals:
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


def _handle(handler: _Handler) -> dict[int, Any]:
    """Set a handler for all signals that are not ignored, and return the previous handlers."""
    before = {}
    for number in SIGNALS:
        known = signal.getsignal(number)
        if (
            known is not signal.SIG_IGN and known is not None
        ):  # None: set by C code, which must not be replaced
            before[number] = known
            signal.signal(number, handler)
    return before


def _restore(before: dict[int, Any]) -> None:
    for number, known in before.items():
        signal.signal(number, known)


def _is_terminal(descriptor: int) -> bool:
    with suppress(OSError):
        return os.isatty(descriptor)
    return False
