"""The states of a run and the moves between them."""

from __future__ import annotations

from enum import Enum

from psygnal import Signal


class RunState(Enum):
    """State of a run; the value is its text."""

    IDLE = "Ready"
    PREPARING = "Preparing…"
    RUNNING = "Running"
    STOPPING = "Stopping…"


MOVES = {
    RunState.IDLE: {RunState.PREPARING},
    RunState.PREPARING: {RunState.RUNNING, RunState.STOPPING, RunState.IDLE},
    RunState.RUNNING: {RunState.STOPPING, RunState.IDLE},
    RunState.STOPPING: {RunState.IDLE},
}
"""Idle -> Preparing -> Running -> Stopping -> Idle; a run may end, fail or be stopped at any point."""


class RunStates:
    """Current state of a run; any move that is not in `MOVES` is an error."""

    changed = Signal(RunState)

    def __init__(self) -> None:
        self.current = RunState.IDLE

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self.current is not RunState.IDLE

    def stop(self) -> None:
        """Change to stopping, unless the run is stopping already or has ended."""
        if RunState.STOPPING in MOVES[self.current]:
            self.to(RunState.STOPPING)

    def to(self, state: RunState) -> None:
        """Change the state and emit `changed`.

        Raises
        ------
        ValueError
            If there is no such move.
        """
        if state not in MOVES[self.current]:
            raise ValueError(f"No move from {self.current.name} to {state.name}.")
        self.current = state
        self.changed.emit(state)
