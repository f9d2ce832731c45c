"""Record a step as a CUDA graph and replay it, without launch costs and without waiting for the host."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import torch

T = TypeVar("T")
LOG = logging.getLogger(__name__)


class CapturedCalls(Generic[T]):
    """Named calls of functions that do the same work on the same tensors each time.

    The first calls of a name run normally; then the work is recorded and replayed. If the recording fails,
    all calls run normally, and ``failure`` has the reason.

    Parameters
    ----------
    device : torch.device
        A CUDA device.
    warm_up : int
        Normal calls of each name before it is recorded, >= 1. In these calls libraries choose their kernels,
        and the optimiser creates its state.

    Notes
    -----
    Inputs of a function must keep their memory: change tensors in place between calls. The next call of any
    name overwrites the returned tensors. A function must not wait for the device (``.item()``, branches on
    tensors) nor draw random numbers.

    Recordings share one memory pool, because only one runs at a time. A recording is bound to this thread, so
    that other threads can use the device.
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
        """Run normally on the stream of the recordings."""
        here = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream), _fastest_kernels():
            result = work()
        here.wait_stream(self._stream)
        return result

    def _record(self, name: Hashable, work: Callable[[], T]) -> bool:
        """Record without running; return True on success."""
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
    """Return the first cause in one line, because ending a broken recording raises an error of its own."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def _fastest_kernels() -> Iterator[None]:
    """Let cuDNN choose the fastest kernels, because all steps have the same shapes."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
