"""Progress in words and as a curve."""

from __future__ import annotations

import math
import time

import pytest

from napari_bitsnet.widgets.run.bar import RunBar, clock, progress_line
from napari_bitsnet.widgets.run.sparkline import MOST, Sparkline
from napari_bitsnet.widgets.run.states import RunState
from napari_bitsnet.widgets.run.worker import Message


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (37.6, "0:38"), (61, "1:01"), (7509, "2:05:09")])
def test_seconds_as_a_clock(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Message(step=0, total=9), "closed-form start"),
        (
            Message(step=420, total=800, left=38.0, losses={"a": 0.01, "b": 0.0023}),
            "iteration 420 of 800 · 0:38 left · loss 0.0123",
        ),
        (Message(step=1, total=9, losses={"a": 5.0, "total": 2.0}), "iteration 1 of 9 · loss 2"),
    ],
)
def test_progress_in_words(message, text):
    assert progress_line(message) == text


def test_what_can_be_pressed_in_each_state(qtbot):
    bar = RunBar()
    qtbot.addWidget(bar.native)
    bar.show()
    shown = {}
    for state in RunState:
        bar.show_state(state)
        shown[state] = [button.text for button in (bar.run, bar.stop, bar.throw) if button.visible]
    assert shown[RunState.IDLE] == ["Run"]
    assert shown[RunState.RUNNING] == ["Stop && keep", "Discard"]
    assert shown[RunState.STOPPING] == ["Stopping…", "Discard"]
    assert bar.line.startswith("Stopping…")
    bar.show_progress(Message(step=3, total=4, losses={"a": 1.0}))
    assert bar.progress == 0.75


def test_the_time_is_shown_while_nothing_can_be_counted(qtbot):
    bar = RunBar()
    qtbot.addWidget(bar.native)
    bar.show_state(RunState.PREPARING)
    bar.show_progress(Message("Loading PyTorch…"))
    assert bar.line == "Loading PyTorch… 0:00"
    qtbot.waitUntil(lambda: bar.line == "Loading PyTorch… 0:01", timeout=5000)
    bar.show_state(RunState.IDLE)


def test_a_curve_of_what_is_positive_and_finite(qtbot):
    curve = Sparkline()
    qtbot.addWidget(curve)
    for step, loss in enumerate([1.0, 0.5, 0.0, math.nan, math.inf, 0.25]):
        curve.add(step, loss)
    assert curve.points == [(0, 1.0), (1, 0.5), (5, 0.25)]
    assert not curve.grab().isNull()
    for step in range(6, 6 + 3 * MOST):
        curve.add(step, 1.0)
    assert len(curve.points) <= MOST
    assert curve.points[0] == (0, 1.0)
    curve.clear()
    assert curve.points == []


def test_of_a_closed_form_nothing_is_counted(qtbot):
    bar = RunBar()
    qtbot.addWidget(bar.native)
    bar.show_state(RunState.RUNNING)
    bar.show_progress(Message(step=1, total=1))
    assert bar.progress == 0
    assert bar.line == "Closed form done, making the pictures…"


def test_the_bar_of_what_cannot_be_counted_moves_a_few_times_a_second(qtbot):
    bar = RunBar()
    qtbot.addWidget(bar.native)
    bar.show_state(RunState.PREPARING)
    moves = []
    bar._bar.changed.connect(moves.append)
    began = time.monotonic()
    qtbot.waitUntil(lambda: len(moves) >= 2, timeout=5000)
    for stage in ("registration", "fit, round 1 of 4"):  # stages do not set it back
        bar.show_progress(Message(stage=stage, total=1))
    qtbot.waitUntil(lambda: len(moves) >= 4, timeout=5000)
    assert moves == [1, 2, 3, 4]
    assert time.monotonic() - began > 4 * 0.1  # at most ten redraws a second
    assert bar._bar.max > 0  # of a range of zero Qt draws an animation of its own
    bar.show_progress(Message(step=3, total=4, losses={"a": 1.0}))
    assert bar.progress == 0.75
    bar.show_state(RunState.IDLE)
    assert not bar._sweep.isActive()


def test_stages_of_a_closed_form_are_named_with_the_time(qtbot):
    bar = RunBar()
    bar.show_state(RunState.PREPARING)
    bar.show_state(RunState.RUNNING)
    bar.show_progress(Message(stage="fit, round 2 of 4", total=1))
    assert bar.line.startswith("fit, round 2 of 4 · 0:0")
    bar.show_state(RunState.STOPPING)
    assert bar.throw.enabled
    assert not bar.stop.enabled
    bar.show_progress(Message(stage="correction", total=1))
    assert bar.line.startswith("Stopping… 0:0")
    assert bar.line.endswith("correction")
    bar.show_state(RunState.IDLE)
    bar.show_state(RunState.PREPARING)
    assert "correction" not in bar.line


def test_a_closed_form_is_not_done_before_its_iteration():
    assert "done" not in progress_line(Message(step=0, total=1))
    assert "done" in progress_line(Message(step=1, total=1))
