"""Answers that come late: the dock, or the whole viewer, is gone by then, and nothing may touch what Qt has
deleted."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.compat import isalive
from qtpy.QtWidgets import QApplication

from napari_bitsnet.widgets.alive import is_open, while_alive
from napari_bitsnet.widgets.forms import device_box
from napari_bitsnet.widgets.run.separation import runs_under_way
from napari_bitsnet.widgets.run.states import RunState

LOOK = device_box.DeviceBox.look  # before the fixtures switch it off


@pytest.fixture
def raised(monkeypatch):
    """What Qt's slots raise: PyQt ends the process after it."""
    seen: list[BaseException] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, error, trace: seen.append(error))
    return seen


def close_dock(dock):
    """As a viewer that is closed does: Qt deletes the widgets, while Python still knows them."""
    dock.wrapper.destroyOnClose()
    dock.widget.native.deleteLater()
    dock.wait(lambda: not isalive(dock.widget.native))


def test_a_model_and_a_shown_viewer_are_open_until_they_are_closed(make_napari_viewer):
    assert is_open(ViewerModel())
    viewer = make_napari_viewer()
    assert is_open(viewer)
    viewer.close()
    assert not is_open(viewer)


@pytest.mark.parametrize("shown", [False, True], ids=["before the first layers", "after them"])
def test_a_run_ends_quietly_when_its_viewer_is_closed(
    make_napari_viewer, qtbot, fake_run, image, raised, shown
):
    viewer = make_napari_viewer()
    viewer.add_image(image, name="painting")
    _, widget = viewer.window.add_plugin_dock_widget("napari-bitsnet")
    fake_run.hold_at = 2
    widget.bar.live.value = shown
    run = widget.run()
    qtbot.waitUntil(
        lambda: bool(run.layers) if shown else run.states.current is RunState.RUNNING, timeout=30_000
    )
    viewer.close()
    fake_run.go.set()
    qtbot.waitUntil(lambda: not runs_under_way(), timeout=30_000)
    qtbot.wait(100)
    assert len(viewer.layers) == 0
    assert run.result is None
    assert raised == []


def test_devices_that_are_found_after_the_dock_was_closed(dock, monkeypatch, raised):
    go = threading.Event()

    def find():
        go.wait(30)
        return {"auto": "CPU", "cpu": "CPU"}

    monkeypatch.setattr(device_box, "find_devices", find)
    box = dock.widget.device
    LOOK(box)
    worker = box._worker
    close_dock(dock)
    with dock.qtbot.waitSignal(worker.finished, timeout=30_000):
        go.set()
    dock.qtbot.wait(20)
    assert raised == []


def test_devices_that_cannot_be_found_after_the_dock_was_closed(dock, monkeypatch, raised):
    go = threading.Event()

    def find():
        go.wait(30)
        raise ValueError("no driver")

    monkeypatch.setattr(device_box, "find_devices", find)
    LOOK(dock.widget.device)
    worker = dock.widget.device._worker
    close_dock(dock)
    with dock.qtbot.waitSignal(worker.finished, timeout=30_000):
        go.set()
    dock.qtbot.wait(20)
    assert raised == []


def test_a_closed_dock_takes_no_notice_of_the_viewer(dock, fake_run, raised):
    widget, viewer = dock.widget, dock.viewer  # kept, as a script keeps them
    viewer.add_labels(np.zeros((24, 32), np.uint8), name="hints")
    widget.inputs.choose("hints", [viewer.layers["hints"]])
    widget.show_results()  # a timer that is due after it was closed
    close_dock(dock)
    QApplication.processEvents()
    viewer.add_image(np.zeros((24, 32)), name="new")
    viewer.layers.selection.active = viewer.layers["painting"]
    viewer.layers["hints"].data = np.ones((24, 32), np.uint8)
    viewer.layers["hints"].refresh()
    viewer.canvas.grid.enabled = True
    viewer.canvas.grid.enabled = False
    viewer.layers.remove("new")
    widget.control.complain("The result could not be written: full.")
    assert isinstance(viewer.layers["hints"], Labels)
    assert not isalive(widget.native)
    assert raised == []


def test_answers_reach_widgets_that_are_there(undocked):
    told = []
    answer = while_alive(undocked.widget.device, told.append)
    answer(1)
    assert told == [1]
