"""Ctrl-C as a request: the run keeps its best answer and ends."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self

import typer


class Interrupt:
    """While active, the first Ctrl-C sets ``requested``; the second one ends the program at once.

    Examples
    --------
    >>> with Interrupt() as interrupt:
    ...     interrupt()
    False
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None

    def __call__(self) -> bool:
        """Whether Ctrl-C was pressed: what a run asks after every iteration."""
        return self.requested

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        typer.echo("\nStopping: what there is will be written. Ctrl-C again to quit without.", err=True)
