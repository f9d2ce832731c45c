"""The dock that trains: in a real viewer, with small networks and a few steps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from napari.utils import progress
from PIL import Image

from napari_bitsnet.methods.feedforward.feedforward import shipped_weights
from napari_bitsnet.training.protocol import TRAINERS
from napari_bitsnet.widgets.preferences import Preferences
from napari_bitsnet.widgets.run import worker
from napari_bitsnet.widgets.run.states import RunState
from napari_bitsnet.widgets.training import dock as training_dock
from napari_bitsnet.widgets.training import worker as training_worker
from napari_bitsnet.widgets.training.bar import TrainingBar, training_line
from napari_bitsnet.widgets.training.run import PICTURE, WIDTH, keep_all, trainings_under_way
from napari_bitsnet.widgets.training.worker import TrainingMessage

pytestmark = pytest.mark.gui

SETTINGS = {
    "steps": 4,
    "batch": 2,
    "drawn": 40,
    "validate_every": 2,
    "validation_pairs": 8,
    "procedural": 0.5,
}


@pytest.fixture(autouse=True)
def _own_preferences(monkeypatch):
    monkeypatch.setattr(training_dock, "preferences", lambda: Preferences(device="cpu"))


@pytest.fixture(autouse=True)
def _all_trainings_end(qtbot):
    yield
    for training in trainings_under_way():
        training.let_go()
    qtbot.waitUntil(lambda: not trainings_under_way(), timeout=60_000)
    assert not progress._all_instances
    assert not any(lock.locked() for lock in worker._LOCKS.values())


@pytest.fixture
def small(monkeypatch):
    """A network that trains in no time."""
    from napari_bitsnet.methods.feedforward.network import SplitNetwork

    monkeypatch.setattr(TRAINERS.get("feedforward"), "network", lambda self: SplitNetwork(widths=(8, 16)))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four pictures in a folder."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for k in range(4):
        pixels = np.kron(rng.integers(0, 256, (8, 8, 3), np.uint8), np.ones((10, 10, 1), np.uint8))
        Image.fromarray(pixels).save(tmp_path / "images" / f"{k}.png")
    return tmp_path / "images"


@pytest.fixture
def opened(make_napari_viewer_proxy):
    """A viewer and the dock, opened as a user does."""
    viewer = make_napari_viewer_proxy()
    _, dock = viewer.window.add_plugin_dock_widget("napari-bitsnet", "Train networks…")
    return viewer, dock


def fill(dock, images: Path, output: Path, **settings):
    dock.sources.add([images])
    dock.output.value = output
    dock.shipped.value = False
    dock.config = dock.config.updated({**SETTINGS, **settings})


def wait(qtbot, condition):
    qtbot.waitUntil(condition, timeout=60_000)


def test_a_training_from_images_to_weights(opened, small, images, tmp_path, qtbot):
    viewer, dock = opened
    output = tmp_path / "mine.safetensors"
    fill(dock, images, output)
    layers, pictures = set(), []
    training = dock.train()
    assert dock.train() is None
    assert "under way" in dock.notice.text
    training.progressed.connect(lambda m: layers.update(map(id, viewer.layers)) or pictures.append(m))
    states = []
    training.states.changed.connect(states.append)
    wait(qtbot, lambda: not dock.busy)
    assert states == [RunState.RUNNING, RunState.IDLE]

    messages = [m for m in pictures if isinstance(m, TrainingMessage)]
    assert any(m.note.startswith("Checking") for m in pictures)
    assert [m.step for m in messages if m.picture is not None] == [2, 4]
    assert [layer.name for layer in viewer.layers] == [PICTURE]
    assert len(layers) == 1
    assert viewer.layers[0].rgb
    np.testing.assert_array_equal(viewer.layers[0].data, messages[-1].picture)
    assert viewer.layers[0].scale[1] * messages[-1].picture.shape[1] == WIDTH
    assert dock.bar.line.startswith("Done: step 4")
    assert str(output) in dock.notice.text
    assert "Last validation of these weights on held-out images" in dock.notice.text

    from napari_bitsnet.methods.feedforward.feedforward import load_network

    assert load_network(output).sizes["widths"] == [8, 16]

    dock.train()  # nothing is left to do
    wait(qtbot, lambda: not dock.busy)
    assert "finished before at step 4, nothing was trained: raise the steps" in dock.notice.text

    shutil.copytree(images, tmp_path / "others")
    (tmp_path / "others" / "0.png").unlink()
    dock.form.data = {"images": [tmp_path / "others"]}
    written = output.read_bytes()
    for steps in (4, 6):
        dock.config = dock.config.updated({"steps": steps})
        dock.train()
        wait(qtbot, lambda: not dock.busy)
        assert "mine holds a training on images, got others: give the same sources" in dock.notice.text
    assert output.read_bytes() == written


def test_stopped_and_gone_on_with(opened, small, images, tmp_path, qtbot):
    viewer, dock = opened
    output = tmp_path / "mine.safetensors"
    fill(dock, images, output, steps=4000)
    dock.train()
    wait(qtbot, lambda: len(viewer.layers) == 1 and dock.training.states.current is RunState.RUNNING)
    assert len(dock.bar.points) >= 1
    assert "of 4000" in dock.bar.line
    viewer.layers.clear()  # no picture is put there again
    dock.bar.stop.changed.emit(True)
    assert dock.bar.stop.text == "Stopping…"
    wait(qtbot, lambda: not dock.busy)
    assert dock.bar.line.startswith("Stopped: step")
    assert output.is_file()
    assert not viewer.layers

    steps = []
    dock.train().progressed.connect(lambda m: steps.append(m.step))
    assert "Goes on from" in dock.notice.text
    stopped_at = int(json.loads(_facts(output))["steps"])
    wait(qtbot, lambda: max(steps, default=0) > 0)
    assert min(s for s in steps if s) == stopped_at + 1
    dock.training._worker.quit()  # as napari does when it is closed
    wait(qtbot, lambda: not dock.busy)
    assert int(json.loads(_facts(output))["steps"]) > stopped_at


def _facts(path: Path) -> str:
    from napari_bitsnet.core.networks.weights import load_tensors

    return json.dumps(load_tensors(path)[1])


def test_closing_the_dock_stops_and_keeps(opened, small, images, tmp_path, qtbot):
    viewer, dock = opened
    output = tmp_path / "mine.safetensors"
    fill(dock, images, output, steps=4000)
    training = dock.train()
    wait(qtbot, lambda: training.states.current is RunState.RUNNING)
    viewer.window.remove_dock_widget(dock.native)
    wait(qtbot, lambda: not training.states.busy)
    assert output.is_file()
    keep_all()  # nothing is under way


def test_stopped_while_it_waits_for_the_device(qtbot, images, tmp_path):
    """Cancel in the activity dock is Stop & keep."""
    other = worker.Turn("cpu")
    assert other.take(timeout=1)
    dock = training_dock.TrainingDock(None)
    qtbot.addWidget(dock.native)
    fill(dock, images, tmp_path / "mine.safetensors")
    training = dock.train()
    wait(qtbot, lambda: "Waiting" in dock.bar.line)
    training._activity._bar.cancel()
    wait(qtbot, lambda: not dock.busy)
    assert dock.bar.line == "Stopped before the first step."
    assert dock.notice.text == ""
    other.give_back()


def test_an_error_on_the_device_is_told_and_ends_it(qtbot, images, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("CUDA out of memory")
        yield

    monkeypatch.setattr(training_worker, "train", fail)
    dock = training_dock.TrainingDock(None)
    qtbot.addWidget(dock.native)
    fill(dock, images, tmp_path / "mine.safetensors")
    dock.train()
    wait(qtbot, lambda: not dock.busy)
    assert dock.notice.text == "Out of memory: CUDA out of memory. Try a smaller batch."


def no_source(dock, images, tmp_path):
    dock.sources.take_off([images])


def no_output(dock, images, tmp_path):
    dock.output.value = ""


def no_images(dock, images, tmp_path):
    for path in images.iterdir():
        path.unlink()


def no_folder(dock, images, tmp_path):
    dock.sources.add([tmp_path / "absent.zip"])


def damaged(dock, images, tmp_path):
    (images / "2.png").write_bytes(b"no picture")


def somebodys(dock, images, tmp_path):
    (tmp_path / "other.safetensors").write_bytes(b"somebody's")
    dock.output.value = tmp_path / "other.safetensors"


def among_the_images(dock, images, tmp_path):
    dock.output.value = images / "mine.safetensors"


def no_access(dock, images, tmp_path):
    (tmp_path / "file").write_text("")
    dock.output.value = tmp_path / "file" / "mine.safetensors"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_source, "Expected at least 1 for Images, got none"),
        (no_output, "Expected a file for the weights that ends in .safetensors, got ''"),
        (no_images, "found none"),
        (no_folder, "Expected a folder or a .zip of images, got"),
        (damaged, "Expected an image, got 2.png in"),
        (no_access, "Expected a folder"),
        (somebodys, "Expected to write new files"),
        (among_the_images, "Expected outputs apart from what is read"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_what_cannot_be_trained_is_said_at_once(spoil, said, qtbot, images, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(training_dock, "show_error", shown.append)
    dock = training_dock.TrainingDock(None)
    qtbot.addWidget(dock.native)
    fill(dock, images, tmp_path / "mine.safetensors")
    spoil(dock, images, tmp_path)
    dock.train()
    wait(qtbot, lambda: not dock.busy)
    assert said in dock.notice.text
    assert [said in text for text in shown] == [True]
    assert not (tmp_path / "mine.safetensors").exists()
    assert dock.bar.run.enabled


def test_the_last_training_is_remembered(qtbot, images, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(training_dock.Training, "start", lambda self: asked.append(self.request))
    first = training_dock.TrainingDock(None)
    fill(first, images, tmp_path / "mine.safetensors", batch=7)
    first.shipped.value = True
    first.train()
    assert asked[0].config.weights == shipped_weights()
    assert not asked[0].resumes
    second = training_dock.TrainingDock(None)
    for dock in (first, second):
        qtbot.addWidget(dock.native)
    assert second.sources.paths == (images,)
    assert second.config == first.config
    assert second.config.weights is None
    assert second.output.line_edit.value == str(asked[0].output)
    assert second.shipped.value
    second.shipped.value = False
    second.train()
    assert asked[1].config.weights is None


def test_sources_are_added_and_removed(qtbot, tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w"):
        pass
    dock = training_dock.TrainingDock(None)
    qtbot.addWidget(dock.native)
    dock.sources.add([tmp_path, tmp_path / "some.zip", tmp_path])
    assert dock.sources.paths == (tmp_path, tmp_path / "some.zip")
    assert not dock.sources.less.enabled
    dock.sources._select.value = [tmp_path]
    assert dock.sources.less.enabled
    dock.sources.less.changed.emit(True)
    assert dock.sources.paths == (tmp_path / "some.zip",)


def test_the_line_tells_the_step_the_time_left_the_loss_and_the_gain(qtbot):
    bar = TrainingBar()
    qtbot.addWidget(bar.native)
    for step in (1, 2):
        bar.show_progress(TrainingMessage(step=step, total=9, left=8.0, losses={"total": -0.5}))
    assert bar.points == [(1, -0.5), (2, -0.5)]
    assert bar.line == "step 2 of 9 · 0:08 left · loss -0.500"
    scored = TrainingMessage(step=2, total=9, losses={"total": 1.0}, scores={"gain (dB)": 1.23, "x": 1.0})
    assert training_line(scored) == "step 2 of 9 · loss 1.000 · held-out gain (dB) 1.23"


@pytest.mark.parametrize("name", list(TRAINERS))
def test_every_trainer_has_a_form_with_its_inputs_and_settings(name, qtbot, images, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(training_dock.Training, "start", lambda self: asked.append(self.request))
    dock, trainer = training_dock.TrainingDock(None), TRAINERS.get(name)
    qtbot.addWidget(dock.native)
    dock.menu.value = name
    assert list(dock.form.data) == [each.name for each in trainer.inputs]
    for sources in dock.form.lists.values():
        sources.add([images])
    assert dock.config == trainer.Config(validate_every=100)
    dock.config = dock.config.updated({"batch": 3})
    dock.output.value = tmp_path / "mine.safetensors"
    dock.train()
    assert asked[0].trainer == name
    assert asked[0].data == {each.name: (images,) for each in trainer.inputs}
    assert asked[0].config == trainer.Config(validate_every=100, batch=3, weights=trainer.shipped())
    again = training_dock.TrainingDock(None)
    qtbot.addWidget(again.native)
    assert (again.menu.value, again.form.data, again.config.batch) == (name, asked[0].data, 3)


SCRIPT = """
import sys
from napari_bitsnet.widgets.training.dock import TrainingDock
from qtpy.QtWidgets import QApplication
app = QApplication([])
TrainingDock(None)
print("loaded:", [m for m in ("torch", "sklearn") if m in sys.modules])
"""


def test_opening_the_dock_loads_no_torch(tmp_path):
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "NAPARI_CONFIG": str(tmp_path / "settings.yaml")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], env=env, capture_output=True, text=True, timeout=300
    )
    assert "loaded: []" in done.stdout, done.stdout + done.stderr
