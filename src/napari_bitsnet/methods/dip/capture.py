"""A step recorded once as a CUDA graph and replayed: no launch costs, no waiting for the host."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import torch

T = TypeVar("T")
LOG = logging.getLogger(__name__)


class CapturedCalls(Generic[T]):
    """Calls of functions that do the same work on the same tensors each time, by name.

    The first calls of a name run plainly; then the work is recorded, and from there on replayed. Where recording
    fails, all calls run plainly, and ``failure`` says why.

    Parameters
    ----------
    device : torch.device
        A CUDA device.
    warm_up : int
        Plain calls of each name before it is recorded, >= 1: libraries choose their kernels in them, and the optimiser
        makes its state.

    Notes
    -----
    What a function reads from outside must stay where it is: tensors are to be changed in place between calls.
    What it returns is overwritten by the next call of any name. It must not wait for the device (``.item()``, branches
    on tensors) nor draw random numbers.

    Recordings share one pool of memory, since only one runs at a time. Recording is bound to this thread, so that
    others may use the device meanwhile.
    """

    def __init__(self, device: torch.device, *, warm_up: int = 2) -> None:
        self.warm_up, self.failure = warm_up, ""
        self._stream = torch.cuda.Stream(device)
        self._calls: dict[Hashable, int] = {}
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, T]] = {}
        self._pool: Any = None

    def __call__(self, name: Hashable, work: Callable[[], T]) -> T:
        """Return what `work` returns, by running or replaying it."""
        if name in self._recorded:
            graph, result = self._recorded[name]
            graph.replay()
            return result
        calls = self._calls[name] = self._calls.get(name, 0) + 1
        if calls <= self.warm_up or self.failure or not self._record(name, work):
            return self._run(work)
        return self(name, work)

    def _run(self, work: Callable[[], T]) -> T:
        """Run plainly, on the stream that recordings use."""
        here = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream), _fastest_kernels():
            result = work()
        here.wait_stream(self._stream)
        return result

    def _record(self, name: Hashable, work: Callable[[], T]) -> bool:
        """Record without running; whether it worked."""
        graph = torch.cuda.CUDAGraph()
        try:
            with (
                _fastest_kernels(),
                torch.cuda.graph(
                    graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
                ),
            ):
                result = work()
        except Exception as error:
            self.failure = _first_cause(error)
            self._stream = torch.cuda.Stream(self._stream.device)  # the other one may be unusable
            LOG.warning("No CUDA graph, steps run one kernel at a time: %s", self.failure)
            return False
        self._pool = graph.pool()
        self._recorded[name] = (graph, result)
        return True


def _first_cause(error: BaseException) -> str:
    """In one line; ending a broken recording raises an error of its own on top."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def _fastest_kernels() -> Iterator[None]:
    """Let cuDNN try its kernels for each new shape, which all steps have in common."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
