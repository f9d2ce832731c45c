"""What is saved is what is on the screen: the selected result, its brightness, names and split; and the
records say so."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_bitsnet.api.result import Result
from napari_bitsnet.core.outputs import FEATURES, describe, numbered
from napari_bitsnet.widgets.layers.parts import METADATA_KEY
from napari_bitsnet.widgets.results.edits import Edits, as_shown, swapped_name
from napari_bitsnet.widgets.results.recipes import as_command, as_python
from tests.described import described

SHARES = np.stack([np.linspace(0, 1, 24).reshape(4, 6), np.linspace(2, 0, 24).reshape(4, 6)]).astype("f4")


def saved(widget, folder) -> tuple[dict[str, np.ndarray], dict]:
    """Images by the end of their names, and the record."""
    files = widget.save(folder)
    images = {file.stem.split("_", 1)[1]: tifffile.imread(file) for file in files if file.suffix == ".tif"}
    return images, json.loads(files[-1].read_text("utf-8"))


def ended(dock, name: str = "painting"):
    dock.widget.inputs.choose("mixture", [dock.viewer.layers[name]])
    dock.widget.run()
    dock.wait_idle()
    return dock.widget.separation


def test_brightness_is_saved(undocked, fake_run, tmp_path):
    run = ended(undocked)
    undocked.widget.brightness.sliders[0].value = 0.3
    images, record = saved(undocked.widget, tmp_path)
    for layer, name in zip(run.layers[:2], ("source_1", "source_2"), strict=True):
        np.testing.assert_array_equal(images[name], layer.data)
    assert record["brightness_shifts"] == [0.3, 0.0]
    assert not np.array_equal(images["source_1"], run.result.outputs["source_1"])


def test_colours_are_saved_in_the_units_of_the_image(undocked, fake_run, tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    undocked.viewer.add_image(colours, rgb=True, name="photo")
    run = ended(undocked, "photo")
    undocked.widget.brightness.sliders[1].value = -0.2
    images, _ = saved(undocked.widget, tmp_path)
    shown = np.moveaxis(np.asarray(run.layers[1].data), -1, 0) * 255
    np.testing.assert_allclose(images["source_2"], shown, rtol=1e-4, atol=1e-3)


def test_swapped_sources_are_saved_under_the_names_they_have(undocked, fake_run, tmp_path):
    ended(undocked)
    undocked.widget.brightness.sliders[0].value = 0.1
    undocked.widget.brightness.swap.changed.emit(True)
    images, record = saved(undocked.widget, tmp_path)
    for k in (1, 2):
        layer = undocked.viewer.layers[f"painting source {k}"]
        np.testing.assert_array_equal(images[f"source_{k}"], layer.data)
        assert layer.metadata[METADATA_KEY]["swapped"] is True
    assert record["swapped"] is True
    undocked.widget.brightness.swap.changed.emit(True)
    images, record = saved(undocked.widget, tmp_path / "again")
    np.testing.assert_array_equal(images["source_1"], undocked.viewer.layers["painting source 1"].data)
    assert "swapped" not in record


def test_the_selected_result_is_saved_and_the_last_where_none_is(undocked, fake_run, image, tmp_path):
    undocked.viewer.add_image(image[::-1] * 2, name="other")
    first, second = ended(undocked, "painting"), ended(undocked, "other")
    select = undocked.viewer.layers.selection
    select.active = first.layers[1]
    assert undocked.widget.selected is first
    images, record = saved(undocked.widget, tmp_path / "first")
    np.testing.assert_array_equal(images["source_1"], first.layers[0].data)
    assert record["task"] == "separate"
    assert undocked.widget.save(tmp_path / "names")[0].name.startswith("painting")
    for chosen in (second.layers[0], undocked.viewer.layers["painting"], None):
        select.active = chosen
        assert undocked.widget.save(tmp_path / "last")[0].name.startswith("other")


def test_sliders_and_splits_follow_the_selected_result(undocked, fake_run, image, monkeypatch):
    others = (np.stack([0.4 * image, 0.6 * image]).astype(np.float32),)
    monkeypatch.setattr("napari_bitsnet.api.result.Result.candidates", property(lambda self: others))
    undocked.viewer.add_image(image.copy(), name="other")
    first = ended(undocked, "painting")
    undocked.widget.candidates.buttons[1].click()
    undocked.widget.brightness.sliders[0].value = 0.2
    second = ended(undocked, "other")
    before = [np.array(layer.data) for layer in second.layers]
    undocked.viewer.layers.selection.active = first.layers[0]
    assert undocked.widget.brightness.sliders[0].value == pytest.approx(0.2)
    assert undocked.widget.candidates.buttons[1].isChecked()
    undocked.widget.brightness.sliders[0].value = 0
    np.testing.assert_allclose(first.layers[0].data, 0.4 * image, atol=1e-6)
    undocked.widget.candidates.buttons[0].click()
    np.testing.assert_allclose(first.layers[0].data, 0.25 * image, atol=1e-6)
    for layer, data in zip(second.layers, before, strict=True):
        np.testing.assert_array_equal(layer.data, data)
    undocked.viewer.layers.selection.active = second.layers[0]
    assert undocked.widget.brightness.sliders[0].value == 0


def test_a_result_that_this_dock_did_not_make_is_not_replaced_by_another(undocked, fake_run, tmp_path):
    run = ended(undocked)
    layer = run.layers[0]
    copy = undocked.viewer.add_image(np.array(layer.data), name="copy", metadata=dict(layer.metadata))
    undocked.viewer.layers.selection.active = copy
    with pytest.raises(ValueError, match="Expected a result of this dock, got copy"):
        undocked.widget.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_results_whose_layers_are_gone_are_let_go(undocked, fake_run):
    run = ended(undocked)
    assert undocked.widget._finished == [run]
    for layer in run.layers:
        undocked.viewer.layers.remove(layer)
    assert undocked.widget._finished == []


def test_an_area_goes_to_the_source_that_has_this_name_now(undocked, fake_run, image, monkeypatch):
    run = ended(undocked)
    undocked.widget.brightness.swap.changed.emit(True)
    areas = undocked.viewer.add_shapes([np.array([[1, 1], [1, 4], [4, 4], [4, 1]])], shape_type="polygon")
    given = []
    monkeypatch.setattr(
        undocked.widget.control, "run_on", lambda hints: given.append(np.asarray(hints.array))
    )
    undocked.widget.give_area(areas, 1)
    assert set(np.unique(given[0])) == {0, 2}
    assert run.edits.swapped


# --- The arithmetic --------------------------------------------------------------------------------------


def result(**more) -> Result:
    outputs = {"source_1": SHARES[0], "source_2": SHARES[1], "residual": SHARES[0] * 0, **more}
    return Result(described("xray", outputs), {"task": "separate"})


def test_a_result_that_was_left_alone_is_the_same_object():
    same = result()
    assert as_shown(same, Edits()) is same
    assert as_shown(same, Edits(shifts=(0.0, 0.0))) is same


def test_shown_sources_go_on_adding_up():
    shown = as_shown(result(), Edits(shifts=(0.25, -0.1), swapped=True))
    np.testing.assert_allclose(shown.sources.sum(0), SHARES.sum(0), atol=1e-6)
    span = np.ptp(SHARES.sum(0))
    np.testing.assert_allclose(shown.outputs["source_2"], SHARES[0] + 0.175 * span, atol=1e-6)
    assert shown.provenance["brightness_shifts"] == [0.25, -0.1]
    assert shown.provenance["swapped"] is True


def test_whatever_belongs_to_a_source_is_swapped_with_it():
    more = {
        "explained_1": SHARES[0] + 1,
        "explained_2": SHARES[1] + 2,
        "weights": np.array([[1.0, 2], [3, 4]]),
    }
    shown = as_shown(result(**more), Edits(swapped=True))
    np.testing.assert_array_equal(shown.outputs["explained_1"], SHARES[1] + 2)
    np.testing.assert_array_equal(shown.outputs["weights"], [[2, 1], [4, 3]])
    assert list(shown.outputs) == list(result(**more).outputs)
    outputs = described("xray", {**numbered([SHARES[0], SHARES[1]]), "residual": SHARES[0]})
    outputs |= describe(numbered([SHARES[:1]] * 2, "features"), [FEATURES])
    assert swapped_name(outputs, "features_2") == "features_1"
    assert swapped_name(outputs, "residual") == "residual"


def test_recipes_say_what_no_run_repeats(undocked, fake_run):
    run = ended(undocked)
    undocked.widget.brightness.sliders[0].value = 0.3
    undocked.widget.brightness.swap.changed.emit(True)
    record = run.layers[0].metadata[METADATA_KEY]
    for text in (as_python(record), as_command(record)):
        assert "brighter by +0.3, +0" in text
        assert "swapped" in text
