"""What a run of one job asks, says and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Say(Protocol):
    """Prints a line, as `typer.echo` does."""

    def __call__(self, text: str, /, *, err: bool = False) -> None:
        """Print a line on stdout, or on stderr."""


class StopRequest(Protocol):
    """Whether a run is asked to end."""

    def __call__(self) -> bool:
        """Return True if it is."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Parameters
    ----------
    status : {"done", "skipped", "stopped", "failed"}
        Skipped jobs were finished before; of stopped ones the best result so far is written.
    error : str
        Reason of a failure.
    told : tuple of (str, bool)
        Lines that are still to be printed, and whether on stderr: of a run in another process.
    """

    status: str
    error: str = ""
    told: tuple[tuple[str, bool], ...] = ()


NOT_RUN = Outcome("not run")
KILLED = Outcome("failed", "The process of this row was killed; perhaps the memory was full.")
