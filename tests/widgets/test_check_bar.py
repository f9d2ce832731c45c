"""Inputs are looked at before a run, where a task has guides: what is found is said, and nothing is run."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.utils.progress import progress
from qtpy.QtCore import QThreadPool

from napari_bitsnet.data.panel import simulate_panel
from napari_bitsnet.widgets.forms.check_bar import IN_ORDER


@pytest.fixture(scope="module")
def panel():
    return simulate_panel(1, 96)


@pytest.fixture
def chosen(undocked, panel):
    viewer, widget = undocked.viewer, undocked.widget
    viewer.layers.clear()
    xray = viewer.add_image(panel.mixture, name="x-ray")
    front, back = (viewer.add_image(g, name=n, rgb=True) for g, n in zip(panel.guides, "ab", strict=True))
    widget.task.apply("xray", {})
    widget.inputs.choose("mixture", [xray])
    widget.inputs.choose("guides", [front, back])
    return undocked, front


def looked(undocked):
    undocked.widget.check.button.changed.emit(True)
    assert undocked.widget.check.button.text == "Cancel the check"
    assert " · 0 s" in undocked.widget.check.line
    undocked.wait(lambda: not undocked.widget.check.busy)
    return undocked.widget.notice


def test_guides_in_their_places_are_in_order(chosen):
    undocked, _ = chosen
    n_layers = len(undocked.viewer.layers)
    notice = looked(undocked)
    first, *places = notice.text.splitlines()
    assert (notice.kind, first) == ("info", IN_ORDER)
    assert [" ".join(text.split()[:2]) for text in places] == ["Guide 1", "Guide 2"]
    assert all("score of the check" in text for text in places)
    assert len(undocked.viewer.layers) == n_layers
    assert undocked.widget.check.button.text == "Check the inputs"
    assert undocked.widget.check.line == ""


def test_a_guide_that_does_not_fit_is_named(chosen):
    undocked, front = chosen
    front.data = np.ascontiguousarray(front.data[::-1, ::-1])
    notice = looked(undocked)
    assert notice.kind == "warning"
    assert "guide 1" in notice.text.lower()


def test_what_is_missing_is_said_at_once(chosen):
    undocked, _ = chosen
    undocked.viewer.layers.clear()
    undocked.widget.check.check()
    assert undocked.widget.notice.kind == "error"
    assert not undocked.widget.check.busy


def test_only_tasks_with_guides_offer_it(chosen):
    undocked, _ = chosen
    assert not undocked.widget.check.native.isHidden()
    for other in ("denoise", "segment"):  # what segment takes as a guide is a saliency image
        undocked.widget.task.menu.choose(other)
        assert undocked.widget.check.native.isHidden()
    undocked.widget.task.menu.choose("xray")
    assert not undocked.widget.check.native.isHidden()


def test_a_check_can_be_cancelled_and_its_findings_are_not_shown(chosen, monkeypatch):
    undocked, _ = chosen
    bar, steps, go, ended = undocked.widget.check, [], threading.Event(), threading.Event()

    def slow(*args, progress, **more):
        try:
            progress("Looking")
            steps.append("Looking")
            go.wait(30)
            progress("Fitting")
            steps.append("Fitting")
        finally:
            ended.set()

    monkeypatch.setattr("napari_bitsnet.api.check", slow)
    bar.check()
    undocked.wait(lambda: bool(steps) and bar.line.startswith("Looking · "))
    bar.button.changed.emit(True)
    assert not bar.busy
    assert undocked.widget.notice.text == "The check was cancelled."
    go.set()
    undocked.wait(lambda: ended.is_set() and QThreadPool.globalInstance().activeThreadCount() == 0)
    assert steps == ["Looking"]
    assert undocked.widget.notice.text == "The check was cancelled."
    assert not progress._all_instances
