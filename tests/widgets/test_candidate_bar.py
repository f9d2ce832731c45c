"""Thumbnails of other splits, and what a click on one does."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_bitsnet.widgets.forms.rows import FORM_WIDTH
from napari_bitsnet.widgets.results.recipes import as_python


@pytest.fixture
def shown(undocked, fake_run, image, monkeypatch):
    """A run that has ended with two other splits."""
    others = tuple(np.stack([w * image, (1 - w) * image]).astype(np.float32) for w in (0.1, 0.6))
    monkeypatch.setattr("napari_bitsnet.api.result.Result.candidates", property(lambda self: others))
    undocked.widget.run()
    undocked.wait_idle()
    return undocked.widget


def test_a_click_shows_another_split_and_the_first_takes_it_back(shown, image):
    bar = shown.candidates
    first, second, *_ = shown.separation.layers
    answer = [np.array(layer.data) for layer in (first, second)]
    assert len(bar.buttons) == 3
    assert bar.buttons[0].isChecked()
    bar.buttons[2].click()
    np.testing.assert_allclose(first.data, 0.6 * image, atol=1e-6)
    np.testing.assert_allclose(second.data, 0.4 * image, atol=1e-6)
    assert first.metadata["napari-bitsnet"]["candidate"] == 2
    assert "split 2 was chosen" in as_python(first.metadata["napari-bitsnet"])
    assert [button.isChecked() for button in bar.buttons] == [False, False, True]
    shown.brightness.sliders[0].value = 0.1  # goes on from the split that is shown
    np.testing.assert_allclose(first.data + second.data, image, atol=1e-6)
    bar.buttons[0].click()
    for layer, data in zip((first, second), answer, strict=True):
        np.testing.assert_array_equal(layer.data, data)
    assert all(slider.value == 0 for slider in shown.brightness.sliders)


def test_the_split_that_is_shown_is_saved(shown, tmp_path):
    shown.candidates.buttons[1].click()
    files = shown.save(tmp_path)
    source = next(file for file in files if file.name.endswith("source_2.tif"))
    np.testing.assert_array_equal(tifffile.imread(source), shown.separation.layers[1].data)
    assert json.loads(files[-1].read_text("utf-8"))["candidate"] == 1


def test_thumbnails_are_reached_by_keys_and_say_what_they_are(shown):
    for button in shown.candidates.buttons:
        assert button.focusPolicy() & button.focusPolicy().TabFocus
        assert not button.icon().isNull()
        assert button.accessibleName()
        assert "source 1 above" in button.toolTip()


def test_four_thumbnails_fit_beside_the_scroll_bar(dock, fake_run, image, monkeypatch):
    others = tuple(np.stack([image, image]).astype(np.float32) for _ in range(3))
    monkeypatch.setattr("napari_bitsnet.api.result.Result.candidates", property(lambda self: others))
    dock.widget.run()
    dock.wait_idle()
    assert len(dock.widget.candidates.buttons) == 4
    bar = dock.widget._area.verticalScrollBar().sizeHint().width()
    assert dock.widget._scrolled.native.minimumSizeHint().width() <= FORM_WIDTH - bar


def test_without_other_splits_there_is_no_row(undocked, fake_run):
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.widget.candidates.buttons == []
    assert not undocked.widget.result.shows("candidates")
