"""Before a run the dock says what it will take; runs teach it."""

from __future__ import annotations

import pytest

from napari_bitsnet.methods import METHODS
from napari_bitsnet.widgets.forms.estimate_line import UNKNOWN, free_mebibytes


@pytest.fixture
def known(undocked):
    """A form that knows its device: a GPU with little memory."""
    line = "cuda:0 NVIDIA H200 (0.5 GiB free)"
    undocked.widget.device.show_devices({"auto": line, "cuda:0": line, "cpu": "CPU (2 threads)"})
    return undocked


def test_it_follows_the_form(known, image):
    form = known.widget.form
    form.method.method.choose("bitsnet")
    small = form.estimate.text
    assert small == "a few seconds, under 0.1 GB"
    known.viewer.add_image(image.repeat(20, 0).repeat(20, 1), name="large")
    form.inputs.choose("mixture", [known.viewer.layers["large"]])
    assert form.estimate.text.startswith("⚠ ")
    assert "more than is free. Set the working size below 512" in form.estimate.text
    form.device.choose("cpu")
    assert form.estimate.text.startswith("≈ ")
    form.method.preset.choose("best")
    assert form.estimate.text.split()[1] > "1"
    known.viewer.add_shapes([[[0, 0], [0, 40], [40, 40], [40, 0]]])
    form.part.region.choose("rectangle")
    assert "under 0.1 GB" in form.estimate.text


def test_without_an_image_it_says_nothing(known):
    known.viewer.layers.clear()
    assert known.widget.form.estimate.text == ""


def test_a_run_teaches(known, fake_run):
    form, control = known.widget.form, known.widget.control
    form.device.choose("cpu")
    form.method.method.choose("bitsnet")
    known.widget.run()
    control._since -= 1000  # as if it had taken so much longer, for a thirtieth of the iterations
    known.wait_idle()
    assert form.estimate.text.startswith("≈ ")


def test_methods_never_measured_say_so(known, monkeypatch):
    form = known.widget.form
    for name in METHODS:  # as for methods of other packages
        monkeypatch.setattr(METHODS.get(name), "cost", None)
    form.task.menu.choose("denoise")
    assert form.estimate.text == UNKNOWN


def test_free_memory():
    assert free_mebibytes("cuda:0 NVIDIA (2.5 GiB free)") == 2560
    assert free_mebibytes("mps Apple GPU") is None
    assert (free_mebibytes("CPU (2 threads)") or 1) > 0
