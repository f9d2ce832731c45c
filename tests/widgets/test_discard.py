"""Discard frees the dock at once: layers go one a turn, and what the worker finishes in the background is
thrown away."""

from __future__ import annotations

import threading

import numpy as np

from napari_bitsnet.core.problem import Iteration
from napari_bitsnet.core.stages import Stage
from napari_bitsnet.widgets.run.request import Request
from napari_bitsnet.widgets.run.separation import runs_under_way
from napari_bitsnet.widgets.run.states import RunState
from tests.described import described


class DeafRun:
    """A closed form in the midst of a stage: it hears nothing until it is let go."""

    def __init__(self) -> None:
        self.let_go, self.at_work, self.ended = threading.Event(), threading.Event(), threading.Event()

    def iterate(self, request, stop, new_hints=None):
        outputs = described("separate", {"source_1": np.asarray(request.mixtures[0].array) * 0.5})
        yield Iteration(0, 1, 0.0, {}, lambda: outputs, stage=Stage("fit, round 2 of 4", better=True))
        self.at_work.set()
        self.let_go.wait(60)
        try:
            yield Iteration(0, 1, 0.0, {}, lambda: outputs, stage=Stage("correction"))
        finally:
            self.ended.set()
        raise AssertionError("Nobody waits for this any more.")


def start(dock, monkeypatch) -> DeafRun:
    deaf = DeafRun()
    monkeypatch.setattr(
        Request, "iterate", lambda request, stop, hints=None: deaf.iterate(request, stop, hints)
    )
    dock.widget.run()
    dock.wait(deaf.at_work.is_set)
    dock.wait(lambda: dock.widget.separation.states.current is RunState.RUNNING)
    return deaf


def test_the_dock_is_free_at_once_and_can_run_again(undocked, monkeypatch, fake_run):
    fake_run_iterate = fake_run.iterate
    deaf = start(undocked, monkeypatch)
    undocked.wait(lambda: "fit, round 2 of 4" in undocked.widget.bar.line)
    old = undocked.widget.separation
    undocked.widget.discard()
    assert not undocked.widget.busy
    assert undocked.widget.bar.line == "Discarded."
    assert not deaf.let_go.is_set()
    undocked.wait(lambda: undocked.names() == ["painting"])
    assert runs_under_way() == (old,)  # its stage is not over
    monkeypatch.setattr(
        Request, "iterate", lambda request, stop, hints=None: fake_run_iterate(request, stop, hints)
    )
    new = undocked.widget.run()
    undocked.wait(lambda: "Waiting for another run" in undocked.widget.bar.line)
    deaf.let_go.set()
    undocked.wait_idle()
    undocked.wait(lambda: not runs_under_way())
    assert deaf.ended.is_set()
    assert new.result is not None
    assert old.result is None
    assert [name for name in undocked.names() if "source" in name] == [
        "painting source 1",
        "painting source 2",
    ]


def test_discard_can_be_pressed_after_stop(undocked, monkeypatch, fake_run):
    deaf = start(undocked, monkeypatch)
    undocked.widget.stop_and_keep()
    bar = undocked.widget.bar
    assert bar.throw.enabled
    assert not bar.stop.enabled
    undocked.wait(lambda: bar.line.startswith("Stopping…"))
    bar.throw.changed.emit(True)
    assert not undocked.widget.busy
    deaf.let_go.set()
    undocked.wait(lambda: not runs_under_way())
    assert undocked.names() == ["painting"]


def test_layers_go_one_a_turn_of_the_event_loop(undocked, fake_run):
    undocked.widget.run()
    undocked.wait_idle()
    run = undocked.widget.separation
    layers, left = list(run.layers), []
    undocked.viewer.layers.events.removed.connect(lambda event: left.append(len(undocked.viewer.layers)))
    done = []
    run.remove_layers(then=lambda: done.append(1))
    assert len(left) == 1
    assert len(layers) == 2
    assert run.layers == []
    undocked.wait(lambda: bool(done))
    assert left == [2, 1]


def test_a_retry_takes_the_names_of_what_it_replaces(undocked, fake_run):
    undocked.widget.run()
    undocked.wait_idle()
    before = undocked.names()
    undocked.widget.control.retry(device="cpu")
    undocked.wait(lambda: undocked.widget.busy)
    undocked.wait_idle()
    assert sorted(undocked.names()) == sorted(before)
