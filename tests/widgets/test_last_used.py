"""The next dock is filled with what was used last; preferences that were changed since go before it."""

from __future__ import annotations

import pytest

from napari_bitsnet.widgets import remembered, task_widget
from napari_bitsnet.widgets.preferences import Preferences
from napari_bitsnet.widgets.task_widget import TaskWidget


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
