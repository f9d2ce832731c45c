"""Runs that have not ended."""

from __future__ import annotations

from typing import Generic, TypeVar

R = TypeVar("R")


class UnderWay(Generic[R]):
    """Runs of one kind that have not ended; calling it returns them.

    They are kept alive here when their dock closes, because they still have layers to show or files to write.
    """

    def __init__(self) -> None:
        self._runs: set[R] = set()

    def __call__(self) -> tuple[R, ...]:
        return tuple(self._runs)

    def add(self, run: R) -> None:
        """Keep a run that starts."""
        self._runs.add(run)

    def discard(self, run: R) -> None:
        """Let go of a run that has ended."""
        self._runs.discard(run)
