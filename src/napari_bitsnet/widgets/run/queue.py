"""Layers that are separated one after another with one task, method and settings."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_bitsnet.widgets.run.request import Request

if TYPE_CHECKING:
    from napari_bitsnet.widgets.run.separation import Outcome

ENDINGS = {"done": "done", "kept": "stopped", "discarded": "discarded", "failed": "failed"}
"""Words for the ends of runs; see `Outcome`."""


class LayerQueue:
    """Runs that wait for their turn, and how those before them ended.

    Parameters
    ----------
    names : iterable of str
        Names of the layers in the order of their runs; napari lets no two layers have the same name.

    Attributes
    ----------
    waiting : deque of Request
        Runs that have not been started.
    errors, warnings : dict
        Messages by the name of the layer.
    new_hints : bool
        Whether hints were painted after the requests had been made.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.waiting: deque[Request] = deque()
        self.errors: dict[str, str] = {}
        self.warnings: dict[str, str] = {}
        self.new_hints = False
        self._names = list(names)
        self._endings: dict[str, str] = {}

    def refuse(self, name: str, reason: str) -> None:
        """Note that a layer cannot be separated with what the form shows."""
        self.errors[name], self._endings[name] = reason, "failed"

    def note(self, name: str, outcome: Outcome) -> None:
        """Note how the run of a layer ended; one that was discarded ends the queue."""
        self._endings[name] = ENDINGS[outcome.kind]
        if outcome.error is not None:
            self.errors[name] = outcome.error.message
        elif outcome.result is not None and (texts := [*outcome.result.warnings, *outcome.remarks]):
            self.warnings[name] = " ".join(texts)
        if outcome.kind == "discarded":
            self.drop()

    def drop(self) -> None:
        """Start none of the waiting runs."""
        self.waiting.clear()

    def place(self, name: str) -> str:
        """Return ``"2 of 3: sheet 2"``."""
        return f"{self._names.index(name) + 1} of {len(self._names)}: {name}"

    def messages(self) -> str:
        """Return errors and then warnings, each in a line that begins with the name of its layer.

        If the form refuses all layers for the same reason, this reason alone is returned.
        """
        if len(self.errors) == len(self._names) and len(set(self.errors.values())) == 1:
            return next(iter(self.errors.values()))
        return "\n".join(
            f"{name}: {text}" for said in (self.errors, self.warnings) for name, text in said.items()
        )

    def summary(self) -> str:
        """Return ``"3 layers: 1 done, 1 stopped, 1 not started."``."""
        counts = Counter(self._endings.get(name, "not started") for name in self._names)
        words = (*ENDINGS.values(), "not started")
        told = ", ".join(f"{counts[word]} {word}" for word in words if counts[word])
        return f"{len(self._names)} layers: {told}."
