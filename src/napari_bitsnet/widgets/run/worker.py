"""Run on the worker's thread: the loop, its messages, and errors that are always reported.

No napari and no Qt object is touched here. Two traps of superqt's generator workers are dealt with:
a `RuntimeError` (out of memory and most errors of a GPU) would be swallowed without any signal, so every
error becomes a `SeparationFailed`; and after ``worker.quit()`` a generator is not closed, so stopping is a
flag that the loop polls and the device's memory is freed in the body, not in a ``finally``.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from napari_bitsnet.widgets.run.responsiveness import step_back

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_bitsnet.api import Result
    from napari_bitsnet.core.outputs import Output
    from napari_bitsnet.core.problem import Iteration

logger = logging.getLogger(__name__)

Iterate = Callable[[Callable[[], bool], Callable[[], Any]], "Generator[Iteration, None, Result]"]
"""Function that starts a run, from a stop request and a source of new hints."""

NUMBERS_EVERY = 0.1
"""Seconds between two messages without images."""

_LOCKS: dict[str, threading.Lock] = {}
"""One run at a time on each device."""


class SeparationFailed(Exception):
    """A run failed; must not be a `RuntimeError`.

    Parameters
    ----------
    message : str
        Text for the user.
    kind : str
        ``"memory"``, ``"input"`` (what was given cannot be worked on) or ``"unexpected"``.
    """

    def __init__(self, message: str, kind: str = "unexpected") -> None:
        super().__init__(message)
        self.message, self.kind = message, kind


@dataclass(frozen=True)
class Message:
    """Message of the worker to the viewer.

    Parameters
    ----------
    note : str
        Current work, before there are numbers.
    stage : str
        Next part of a long iteration; empty after it.
    step, total : int
        Finished and planned iterations.
    elapsed : float
        Elapsed time in seconds.
    left : float, optional
        Estimated remaining time in seconds.
    losses : mapping of str to float
        Loss terms.
    plane : int
        Index of the slice in a stack.
    outputs : mapping of str to Output, optional
        Named outputs so far; None in most messages.
    """

    note: str = ""
    stage: str = ""
    step: int = 0
    total: int = 0
    elapsed: float = 0.0
    left: float | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    plane: int = 0
    outputs: Mapping[str, Output] | None = None


class Turn:
    """The right to compute on a device; given back once, by whoever is first to see that the run is over.

    After ``worker.quit()`` that is not the generator, which lives on until it is collected as garbage.

    Parameters
    ----------
    device : str
        Resolved name.
    """

    def __init__(self, device: str) -> None:
        self._lock = _LOCKS.setdefault(device, threading.Lock())
        self._taken = False

    def take(self, timeout: float) -> bool:
        """Wait for the device for some seconds; return True if this run has it."""
        self._taken = self._lock.acquire(timeout=timeout)
        return self._taken

    def give_back(self) -> None:
        """Release the device, if this run still has it."""
        if self._taken:
            self._taken = False
            self._lock.release()


@dataclass
class Controls:
    """Requests of the viewer to the worker, which any thread may change."""

    stop: threading.Event = field(default_factory=threading.Event)
    abandoned: threading.Event = field(
        default_factory=threading.Event
    )  # nobody waits for the result any more
    live: threading.Event = field(default_factory=threading.Event)
    preview_every: float = 0.25
    turn: Turn | None = None
    hints: deque[NDArray] = field(default_factory=lambda: deque(maxlen=1))

    def new_hints(self) -> NDArray | None:
        """Return the latest hints (Y, X) that the run has not seen, or None."""
        try:
            return self.hints.pop()
        except IndexError:
            return None


Messages = Generator[Message, None, "Result | None"]

R = TypeVar("R")


def guarded(
    function: Callable[..., Generator[Message, None, R]],
) -> Callable[..., Generator[Message, None, R]]:
    """Convert each error of a generator function to `SeparationFailed`, raised outside the except block.

    So the error carries no traceback whose frames would keep tensors alive for the rest of the session;
    unexpected ones are logged in full.
    """

    @wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Generator[Message, None, R]:
        step_back()
        try:
            return (yield from function(*args, **kwargs))
        except Exception as error:
            message, kind = explain(error)
            if kind == "unexpected":
                logger.error("The run failed.\n%s", traceback.format_exc())
        free_device_memory()
        raise SeparationFailed(message, kind)

    return inner


def explain(error: Exception) -> tuple[str, str]:
    """Return a plain sentence and the kind of failure (see `SeparationFailed`)."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return (text if isinstance(error, MemoryError) and str(error) else f"Out of memory: {text}"), "memory"
    if isinstance(error, ValueError | TypeError):
        return text, "input"
    return f"The run failed: {text} ({type(error).__name__})", "unexpected"


@guarded
def separate_layers(iterate: Iterate, device: str, controls: Controls) -> Messages:
    """Run to the end or until a stop request, with at most a few messages to the viewer in a second.

    Napari shows the name of this function in its dialog if it is closed during a run.

    Parameters
    ----------
    iterate : callable
        Function that starts the run.
    device : str
        Device of the run; one run at a time on each device.
    controls : Controls
        Stop request and live preview.

    Returns
    -------
    Result or None
        None if the run was stopped before it had the device, or was discarded.
    """
    yield Message("Loading PyTorch…")
    from napari_bitsnet.core.device import resolve_device

    controls.turn = Turn(resolve_device(device))
    while not controls.turn.take(timeout=0.2):
        yield Message("Waiting for another run on this device…")
        if controls.stop.is_set():
            return None
    try:
        yield Message("Computing…")
        result = yield from _loop(iterate(controls.stop.is_set, controls.new_hints), controls)
        if result is None:
            free_device_memory()
            return None
        _ = getattr(result, "candidates", ())  # made here, not on the viewer's thread
        free_device_memory(thorough=False)
        return result
    finally:
        controls.turn.give_back()


def _loop(run: Generator[Iteration, None, Result], controls: Controls) -> Messages:
    """Pass on what the run yields, throttled by the clock, and return its result; None once nobody waits for
    it."""
    last_numbers = last_preview = -float("inf")
    pace = _Pace()
    fresh = False
    while True:
        if controls.abandoned.is_set():
            run.close()
            return None
        try:
            iteration = next(run)
        except StopIteration as end:
            return end.value
        now = time.monotonic()
        left = pace.left(iteration, now)
        stage = iteration.stage
        fresh = fresh or stage is None or stage.better  # between most stages there is nothing new to be seen
        preview = fresh and controls.live.is_set() and now - last_preview >= controls.preview_every
        if not preview and stage is None and now - last_numbers < NUMBERS_EVERY:
            continue
        outputs = (iteration.outputs or None) if preview else None  # none while another method goes first
        yield Message(
            stage="" if stage is None else stage.name,
            step=iteration.step,
            total=iteration.total,
            elapsed=iteration.elapsed,
            left=left,
            losses=iteration.losses,
            plane=iteration.plane,
            outputs=outputs,
        )
        last_numbers = time.monotonic()
        if preview:
            last_preview, fresh = last_numbers, False


class _Pace:
    """Remaining time, from the time of an iteration since the start of the plane (the first one is
    slower)."""

    def __init__(self) -> None:
        self._plane, self._step, self._since = -1, 0, 0.0

    def left(self, iteration: Iteration, now: float) -> float | None:
        if iteration.plane != self._plane:
            self._plane, self._step, self._since = iteration.plane, iteration.step, now
            return None
        if iteration.step <= self._step:
            return None
        return (now - self._since) / (iteration.step - self._step) * (iteration.total - iteration.step)


def free_device_memory(*, thorough: bool = True) -> None:
    """Free unused memory if PyTorch was loaded; see `free_memory`."""
    if "torch" in sys.modules:
        from napari_bitsnet.core.device import free_memory

        free_memory(thorough=thorough)
