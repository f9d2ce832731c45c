"""The next dock is filled with what was used last; preferences that were changed since go before it."""

from __future__ import annotations

import json

import pytest

from napari_bitsnet.widgets import remembered, task_widget
from napari_bitsnet.widgets.forms.estimate_line import known_times
from napari_bitsnet.widgets.preferences import Preferences
from napari_bitsnet.widgets.task_widget import TaskWidget
from napari_bitsnet.widgets.training.dock import TrainingDock


@pytest.fixture
def used(undocked, fake_run):
    """A dock in which two tasks were run with settings of their own."""
    widget = undocked.widget
    widget.run()
    undocked.wait_idle()
    widget.settings = widget.settings.updated(
        {
            "method": "bitsnet",
            "preset": "quick",
            "settings": {"iterations": 7},
            "options": {"n_sources": 3},
            "size_limit": 256,
            "device": "cpu",
        }
    )
    widget.run()
    undocked.wait_idle()
    return undocked


def test_the_next_dock_shows_what_was_used(used):
    again = TaskWidget(used.viewer)
    assert again.settings == used.widget.settings
    again.task.menu.choose("xray")
    again.task.menu.choose("separate")
    assert again.settings == used.widget.settings


def test_each_task_has_its_own(used):
    again = TaskWidget(used.viewer)
    again.task.menu.choose("xray")
    assert again.settings.options == {}
    assert again.settings.preset == "quick"  # as the form showed it
    assert again.settings.size_limit == 256


def test_a_changed_preference_goes_before_it(used, monkeypatch):
    monkeypatch.setattr(task_widget, "preferences", lambda: Preferences(preset="best", size_limit=1024))
    again = TaskWidget(used.viewer)
    assert (again.settings.preset, again.settings.size_limit) == ("best", 1024)
    assert again.settings.settings == {}
    assert again.settings.options == {"n_sources": 3}


def test_layers_are_never_remembered(used):
    text = (remembered.folder() / "last_used.json").read_text()
    assert "painting" not in text


@pytest.mark.parametrize(
    "content", ["", "[]", '{"task": "no such", "tasks": {"separate": {}}, "device": "cuda:9"}']
)
def test_what_cannot_be_used_is_left_out(undocked, content):
    remembered.folder().mkdir(parents=True)
    (remembered.folder() / "last_used.json").write_text(content)
    again = TaskWidget(undocked.viewer)
    assert again.settings.task == "separate"
    assert again.settings.preset == "balanced"


def test_a_folder_that_cannot_be_written_to_does_not_matter(undocked, fake_run, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(remembered, "folder", lambda: tmp_path / "file")
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.widget.bar.line.startswith("Done")


ODD = [
    [],
    {"task": 5, "preferences": None},
    {"task": "separate", "run_options": [], "device": 7},
    {"run_options": {"size_limit": "large", "seed": 3, "task": "xray"}},
    {"tasks": ["separate"]},
    {"tasks": {"separate": "x"}},
    {"tasks": {"separate": {"options": None, "method": None, "preset": None, "settings": None}}},
    {"tasks": {"separate": {"options": {"n_sources": []}, "method": "bitsnet", "preset": "quick"}}},
    {"tasks": {"separate": {"method": "bitsnet", "preset": "quick", "settings": {"iterations": {}}}}},
    {"preferences": {"size_limit": []}, "device": None},
]


@pytest.mark.parametrize("known", ODD, ids=range(len(ODD)))
def test_files_of_another_shape_do_not_keep_the_dock_from_opening(undocked, fake_run, known):
    folder = remembered.folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("last_used", "timings", "training"):
        (folder / f"{name}.json").write_text(json.dumps(known))
    widget = TaskWidget(undocked.viewer)
    settings = widget.settings
    assert settings.task == "separate"
    assert settings.size_limit == Preferences().size_limit
    if isinstance(known, dict) and known.get("run_options"):
        assert settings.seed == 3  # what can be used is used
    widget.form.remember()
    assert TaskWidget(undocked.viewer).settings == settings


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": 1}\x00', "\ufeff{}"])
def test_files_that_are_no_json_are_as_good_as_none(undocked, text):
    folder = remembered.folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "last_used.json").write_text(text, encoding="utf-8")
    assert TaskWidget(undocked.viewer).settings.task == "separate"


def test_times_that_are_none_are_left_out():
    remembered.remember("timings", {"a": 2, "b": "soon", "c": None, "d": -1, "e": [3], "f": float("nan")})
    assert known_times() == {"a": 2.0}


def test_a_training_of_another_shape_is_left_out(undocked):
    remembered.remember(
        "training",
        {
            "trainer": "absent",
            "data": {"images": [3, None]},
            "output": 4,
            "shipped": "yes",
            "settings": [],
            "device": {},
        },
    )
    dock = TrainingDock(undocked.viewer)
    assert dock.sources.paths == ()
    assert dock.device.value == "auto"
