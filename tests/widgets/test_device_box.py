"""The device line: filled later, and amber where it will be slow."""

from __future__ import annotations

import pytest

from napari_bitsnet.widgets.forms import device_box
from napari_bitsnet.widgets.forms.device_box import SLOW, DeviceBox, find_devices

GPU = "cuda:0 NVIDIA H200 (120.3 GiB free)"


@pytest.fixture
def box(qtbot):
    box = DeviceBox()
    qtbot.addWidget(box.native)
    return box


def test_before_the_devices_are_known(box):
    assert box.value == "auto"
    assert box.line == "Looking for devices…"
    assert box.menu.choices == ("auto", "cpu")


def test_a_gpu_is_named(box):
    box.show_devices({"auto": GPU, "cuda:0": GPU, "cpu": "CPU (2 threads)"})
    assert box.line == GPU
    assert box.menu.choices == ("auto", "cuda:0", "cpu")
    box.choose("cpu")
    assert box.line.startswith("⚠ CPU (2 threads).")
    assert SLOW in box.line


def test_a_device_that_was_chosen_before_stays(qtbot):
    box = DeviceBox("cpu")
    qtbot.addWidget(box.native)
    box.show_devices({"auto": GPU, "cuda:0": GPU, "cpu": "CPU (2 threads)"})
    assert box.value == "cpu"


def test_a_device_from_elsewhere_can_be_chosen(box):
    box.choose("cuda:3")
    assert box.value == "cuda:3"


def test_this_machine():
    found = find_devices()
    assert found["cpu"].startswith("CPU")
    assert next(iter(found)) == "auto"


def test_looking_happens_on_another_thread_and_once(monkeypatch, box, qtbot):
    monkeypatch.undo()  # the tests' dock does not look
    asked = []
    monkeypatch.setattr(
        device_box, "find_devices", lambda: asked.append(1) or {"auto": GPU, "cpu": "CPU (1 threads)"}
    )
    box.look()
    box.look()
    qtbot.waitUntil(lambda: box.line == GPU, timeout=10_000)
    box.look()
    assert asked == [1]


def test_a_failure_to_look_is_said(monkeypatch, box, qtbot):
    monkeypatch.undo()

    def broken():
        raise OSError("no driver")

    monkeypatch.setattr(device_box, "find_devices", broken)
    box.look()
    qtbot.waitUntil(lambda: box.line == "The devices could not be found: no driver", timeout=10_000)
