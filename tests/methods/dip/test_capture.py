"""Recording and replaying, with stand-ins for CUDA's streams and graphs: what is run, recorded, replayed,
given up."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch

from napari_bitsnet.methods.dip.capture import CapturedCalls


class FakeStream:
    def __init__(self, device: object = None) -> None:
        self.device = device

    def wait_stream(self, other: object) -> None: ...


class FakeGraph:
    replayed = 0

    def pool(self) -> str:
        return "pool"

    def replay(self) -> None:
        FakeGraph.replayed += 1


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Pools and modes with which something was recorded."""
    seen: list[Any] = []

    @contextmanager
    def graph(graph: FakeGraph, *, pool: Any, stream: FakeStream, capture_error_mode: str) -> Iterator[None]:
        seen.append((pool, capture_error_mode))
        yield

    monkeypatch.setattr(FakeGraph, "replayed", 0)
    monkeypatch.setattr(torch.cuda, "Stream", FakeStream)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: FakeStream())
    return seen


def test_calls_are_run_then_recorded_then_replayed(recordings: list[Any]) -> None:
    calls: CapturedCalls[int] = CapturedCalls(torch.device("cuda"), warm_up=2)
    done = {"a": 0, "b": 0}

    def work(name: str) -> int:
        done[name] += 1
        return done[name]

    results = [calls(name, lambda name=name: work(name)) for name in "aaabaabbb"]
    assert results == [1, 2, 3, 1, 3, 3, 2, 3, 3]  # two plain calls of each, one recorded
    assert done == {"a": 3, "b": 3}
    assert FakeGraph.replayed == 5
    assert recordings == [(None, "thread_local"), ("pool", "thread_local")]
    assert calls.failure == ""


def test_what_cannot_be_recorded_runs_plainly_and_says_why(
    recordings: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    calls: CapturedCalls[int] = CapturedCalls(torch.device("cuda"), warm_up=1)
    runs = []

    def work() -> int:
        runs.append(1)
        if len(runs) == 2:
            try:
                raise RuntimeError("operation not permitted\nwhen recording")
            except RuntimeError:
                raise ValueError("recording was broken off") from None
        return len(runs)

    assert [calls("a", work) for _ in range(4)] == [1, 3, 4, 5]
    assert calls.failure == "RuntimeError: operation not permitted"
    assert "steps run one kernel at a time: RuntimeError: operation not permitted" in caplog.text
    assert (len(recordings), FakeGraph.replayed) == (1, 0)


def test_kernels_are_chosen_by_trial_only_inside(recordings: list[Any]) -> None:
    calls: CapturedCalls[bool] = CapturedCalls(torch.device("cuda"))
    assert not torch.backends.cudnn.benchmark
    assert calls("a", lambda: torch.backends.cudnn.benchmark)
    assert not torch.backends.cudnn.benchmark
