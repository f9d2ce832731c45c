"""The worker's loop: throttled, stoppable, one run a device, and no error is lost or keeps memory."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from napari_bitsnet.core.device import OutOfMemory
from napari_bitsnet.core.problem import Iteration
from napari_bitsnet.widgets.run.worker import (
    Controls,
    Message,
    SeparationFailed,
    explain,
    guarded,
    separate_layers,
)


class Big:
    """Stands in for a tensor on the device."""


def drain(messages):
    seen = []
    while True:
        try:
            seen.append(next(messages))
        except StopIteration as end:
            return seen, end.value


def steps(count, result="result", outputs=None):
    def iterate(stop, new_hints):
        for step in range(1, count + 1):
            yield Iteration(step, count, 0.1 * step, {"total": 1.0}, lambda: outputs or {"source_1": None})
            if stop():
                return "stopped"
        return result

    return iterate


@pytest.mark.parametrize(
    ("error", "text", "kind"),
    [
        (RuntimeError("CUDA error"), "The run failed: CUDA error (RuntimeError)", "unexpected"),
        (RuntimeError("CUDA out of memory. Tried"), "Out of memory: CUDA out of memory. Tried", "memory"),
        (OutOfMemory("What would fit: x."), "What would fit: x.", "memory"),
        (MemoryError(), "Out of memory: MemoryError", "memory"),
        (ValueError("Expected pixels."), "Expected pixels.", "input"),
        (TypeError("Expected numbers."), "Expected numbers.", "input"),
        (OSError("disk"), "The run failed: disk (OSError)", "unexpected"),
    ],
)
def test_errors_in_plain_words(error, text, kind):
    assert explain(error) == (text, kind)


def test_an_error_keeps_neither_frames_nor_tensors():
    alive = []

    @guarded
    def run():
        tensor = Big()
        alive.append(weakref.ref(tensor))
        yield Message("x")
        raise RuntimeError("CUDA error")

    messages = run()
    next(messages)
    with pytest.raises(SeparationFailed, match="CUDA error") as caught:
        next(messages)
    assert not isinstance(caught.value, RuntimeError)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    gc.collect()
    assert alive[0]() is None


def test_few_messages_of_many_iterations():
    controls = Controls(preview_every=1000.0)
    controls.live.set()
    seen, result = drain(separate_layers(steps(5000), "cpu", controls))
    numbers = [m for m in seen if m.total]
    assert result == "result"
    assert [m.note for m in seen if m.note] == ["Loading PyTorch…", "Computing…"]
    assert sum(m.outputs is not None for m in numbers) == 1
    assert numbers[0].outputs is not None
    assert len(numbers) < 500


def test_images_are_fetched_only_for_the_preview():
    fetched = []

    def iterate(stop, new_hints):
        for step in range(1, 10):
            yield Iteration(step, 10, 0.0, {}, lambda: fetched.append(1) or {})
        return "result"

    drain(separate_layers(iterate, "cpu", Controls()))
    assert fetched == []


def test_a_stop_request_reaches_the_run():
    controls = Controls()
    controls.stop.set()
    _, result = drain(separate_layers(steps(1000), "cpu", controls))
    assert result == "stopped"


def test_the_device_is_free_again_after_a_failure():
    def broken(stop, new_hints):
        raise RuntimeError("broken")
        yield

    for _ in range(2):
        with pytest.raises(SeparationFailed, match="broken"):
            drain(separate_layers(broken, "cpu", Controls()))
    assert drain(separate_layers(steps(3), "cpu", Controls()))[1] == "result"


def test_a_second_run_waits_for_the_device_and_can_be_stopped_meanwhile():
    first = separate_layers(steps(100), "cpu", Controls())
    while next(first).note != "Computing…":
        pass
    controls = Controls()
    second = separate_layers(steps(3), "cpu", controls)
    assert next(second).note == "Loading PyTorch…"
    assert next(second).note == "Waiting for another run on this device…"
    controls.stop.set()
    assert drain(second)[1] is None
    assert drain(first)[1] == "result"
    assert drain(separate_layers(steps(3), "cpu", Controls()))[1] == "result"


def test_a_run_that_is_dropped_frees_the_device():
    controls = Controls()
    run = separate_layers(steps(100), "cpu", controls)
    while next(run).note != "Computing…":
        pass
    controls.turn.give_back()  # as its `Separation` does when the worker has finished without closing it
    assert drain(separate_layers(steps(3), "cpu", Controls()))[1] == "result"
    other = separate_layers(steps(3), "cpu", Controls())
    while next(other).note != "Computing…":
        pass
    run.close()  # when it is collected later, that does not take the device from another run
    third = separate_layers(steps(3), "cpu", Controls())
    assert [next(third).note, next(third).note][1].startswith("Waiting")
    assert drain(other)[1] == "result"
    assert drain(third)[1] == "result"


def test_time_left_is_that_of_the_pace(monkeypatch):
    from napari_bitsnet.widgets.run import worker

    clock = iter(range(10_000))
    monkeypatch.setattr(worker.time, "monotonic", lambda: float(next(clock)))
    seen, _ = drain(separate_layers(steps(10), "cpu", Controls(preview_every=1e9)))
    numbers = [m for m in seen if m.total]
    assert numbers[0].left is None
    # the clock moves twice an iteration: nine of ten are to go after the first, two seconds each
    assert numbers[1].left == pytest.approx(2 * 8, abs=2)


def test_nothing_here_needs_the_main_thread():
    outcome = []
    thread = threading.Thread(
        target=lambda: outcome.append(drain(separate_layers(steps(3), "cpu", Controls()))[1])
    )
    thread.start()
    thread.join(timeout=60)
    assert outcome == ["result"]
