"""After a run: brightness, saving, and the same arrays again from the record, in Python and as a command."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
import tifffile
from napari.layers._source import layer_source
from qtpy.QtWidgets import QApplication
from typer.testing import CliRunner

import napari_bitsnet as nb
from napari_bitsnet.cli.app import build_app
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.widgets.layers.parts import layer_part
from napari_bitsnet.widgets.results.recipes import as_command, as_python
from napari_bitsnet.widgets.results.saving import calibration, file_stem
from napari_bitsnet.widgets.run.preview import PreviewLayers
from tests.described import described

pytestmark = pytest.mark.filterwarnings("ignore::napari_bitsnet.api.notices.NotSeparatedWarning")

FAST = {
    "method": "bitsnet",
    "preset": "quick",
    "settings": {"iterations": 3, "start": "none", "kappa": [1.0, 2.0]},
    "seed": 5,
    "device": "cpu",
}


def run_real(undocked, **changes):
    undocked.widget.settings = undocked.widget.settings.updated({**FAST, **changes})
    run = undocked.widget.run()
    undocked.wait_idle()
    assert run.result is not None, undocked.widget.notice.text
    return run


def test_what_no_guide_explains_is_visible_beneath_the_sources(undocked, image):
    viewer = undocked.viewer
    part = layer_part(viewer.layers[0])
    shown = PreviewLayers(viewer, [part])
    names = ("source_1", "source_2", "unexplained", "residual")
    outputs = described("xray", {name: np.asarray(image, np.float32) for name in names})
    first, second, unexplained, residual = shown.finish(outputs, {})
    assert [first.visible, second.visible, unexplained.visible, residual.visible] == [True, True, True, False]
    order = [viewer.layers.index(layer) for layer in (unexplained, first, second)]
    assert order == sorted(order)
    assert viewer.layers.index(unexplained) > 0


# --- Brightness ------------------------------------------------------------------------------------------


def test_brightness_moves_between_sources_that_go_on_adding_up(undocked, fake_run, image):
    undocked.widget.run()
    undocked.wait_idle()
    first, second = undocked.widget.separation.layers
    sliders = undocked.widget.brightness.sliders
    assert len(sliders) == 2
    sliders[0].value = 0.2
    np.testing.assert_allclose(first.data + second.data, image, atol=1e-6)
    np.testing.assert_allclose(first.data - 0.25 * image, 0.1 * np.ptp(image), atol=1e-6)
    assert first.metadata["napari-bitsnet"]["brightness_shifts"] == [0.2, 0.0]
    sliders[0].value = 0
    np.testing.assert_allclose(first.data, 0.25 * image, atol=1e-6)


def test_the_two_sources_are_swapped_by_name(undocked, fake_run):
    undocked.widget.run()
    undocked.wait_idle()
    undocked.widget.run()  # a second run: the button is there again
    undocked.wait_idle()
    first, second = undocked.widget.separation.layers
    names = [first.name, second.name]
    arrays = [np.array(layer.data) for layer in (first, second)]
    undocked.widget.brightness.swap.changed.emit(True)
    assert [first.name, second.name] == names[::-1]
    for layer, array, output in zip((first, second), arrays, ("source_1", "source_2"), strict=True):
        np.testing.assert_array_equal(layer.data, array)
        assert layer.metadata["napari-bitsnet"]["output"] == output
    undocked.widget.brightness.sliders[0].value = 0.2  # now named after the layer that it moves
    assert not np.array_equal(first.data, arrays[0])
    undocked.widget.brightness.swap.changed.emit(True)
    assert [first.name, second.name] == names


@pytest.mark.parametrize(
    "options",
    [{"mixing": "attenuation", "output": "intensity"}, {"encoding": "srgb"}, {"encoding": "auto"}],
    ids=["multiply", "encoded", "perhaps encoded"],
)
def test_sources_that_do_not_add_up_have_no_brightness_to_move(undocked, fake_run, options):
    undocked.widget.settings = undocked.widget.settings.updated({"options": options})
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.widget.brightness.sliders == []
    assert undocked.widget.result.shows("brightness")  # the two can still be swapped


def test_sources_with_weights_have_no_brightness_to_move_but_an_order(undocked):
    widget, viewer = undocked.widget, undocked.viewer
    rng = np.random.default_rng(0)
    a, b = (np.kron(rng.random((6, 8)), np.ones((4, 4))) for _ in range(2))
    layers = [viewer.add_image(w * a + (1 - w) * b, name=f"mixture {w}") for w in (0.7, 0.4)]
    widget.task.apply("multi_mixture", {})
    widget.inputs.choose("mixture", layers)
    widget.method.preset.choose("quick")
    widget.run()
    undocked.wait_idle()
    sources = widget.separation.layers[:2]
    names = [layer.name for layer in sources]
    assert widget.brightness.sliders == []
    assert widget.result.shows("brightness")
    widget.brightness.swap.changed.emit(True)
    assert [layer.name for layer in sources] == names[::-1]


# --- The record ------------------------------------------------------------------------------------------


def test_buttons_are_for_the_selected_result_or_the_topmost_one(undocked, fake_run):
    bar, viewer = undocked.widget.record, undocked.viewer
    assert not bar.python.enabled
    undocked.widget.run()
    undocked.wait_idle()
    viewer.layers.selection.active = viewer.layers["painting"]  # as the run has left it
    assert bar.use.enabled
    assert bar.python.enabled
    assert bar.record["settings"]["seed"] == 0
    bar.python.changed.emit(True)
    assert QApplication.clipboard().text().startswith("import napari_bitsnet as nb")
    first = list(undocked.widget.separation.layers)
    undocked.widget.settings = undocked.widget.settings.updated({"seed": 7})
    undocked.widget.run()
    undocked.wait_idle()
    viewer.layers.selection.active = viewer.layers["painting"]
    assert bar.record["settings"]["seed"] == 7
    viewer.layers.selection.active = first[0]
    assert bar.record["settings"]["seed"] == 0
    for layer in [layer for layer in viewer.layers if layer.metadata.get("napari-bitsnet")]:
        viewer.layers.remove(layer)
        QApplication.processEvents()
    assert not bar.python.enabled


def test_the_form_takes_a_results_settings_and_layers(undocked, fake_run, image):
    undocked.viewer.add_image(image * 2, name="other")
    undocked.widget.inputs.choose("mixture", [undocked.viewer.layers["other"]])
    settings = undocked.widget.settings.updated({"preset": "quick", "seed": 7, "options": {"n_sources": 3}})
    undocked.widget.settings = settings
    run = undocked.widget.run()
    undocked.wait_idle()
    undocked.widget.settings = settings.updated({"preset": "best", "seed": 0, "options": {}})
    undocked.widget.inputs.choose("mixture", [undocked.viewer.layers["painting"]])
    undocked.viewer.layers.selection.active = run.layers[0]
    undocked.widget.record.use.changed.emit(True)
    taken = undocked.widget.settings
    assert taken.updated({"settings": {}}) == settings
    assert taken.settings == {}
    assert undocked.widget.inputs.chosen("mixture") == [undocked.viewer.layers["other"]]


def test_a_record_of_another_version_is_said(undocked):
    undocked.widget.use_record({"settings": {"colour": 1}})
    assert "Expected a record of this version" in undocked.widget.notice.text


def test_python_from_layers_gives_the_same_arrays(undocked, image):
    stack = undocked.viewer.add_image(
        np.stack([image, image.T[:24].repeat(2, 1)[:, :32], image[::-1]]), name="st'ack"
    )
    undocked.widget.inputs.choose("mixture", [stack])
    undocked.viewer.dims.set_point(0, 2)
    run = run_real(undocked)
    record = run.layers[0].metadata["napari-bitsnet"]
    assert record["layers"]["mixture"][0]["position"] == [2]
    assert record["inputs"] == {}
    scope = {"viewer": undocked.viewer}
    exec(as_python(record), scope)
    np.testing.assert_array_equal(scope["layers"][0].data, run.layers[0].data)
    np.testing.assert_allclose(scope["layers"][0].translate, run.layers[0].translate)


@pytest.fixture
def from_file(undocked, image, tmp_path):
    """The dock on a layer that was read from a file."""
    path = tmp_path / "a mixture.tif"
    tifffile.imwrite(path, image)
    undocked.viewer.layers.clear()
    with layer_source(path=str(path)):  # as napari's readers do
        layer = undocked.viewer.add_image(tifffile.imread(path), name="a mixture")
    assert undocked.widget.inputs.chosen("mixture") == [layer]
    return undocked


def test_python_and_command_from_files_give_the_same_arrays(from_file, tmp_path):
    run = run_real(from_file, options={"n_sources": 3})
    record = run.layers[0].metadata["napari-bitsnet"]
    scope: dict = {}
    exec(as_python(record), scope)
    words = shlex.split(as_command(record))
    assert words[:2] == ["napari-bitsnet", "separate"]
    words[words.index("-o") + 1] = str(tmp_path / "out")
    done = CliRunner().invoke(build_app(), words[1:])
    assert done.exit_code == 0, done.output
    for k, source in enumerate(scope["result"].sources):
        np.testing.assert_array_equal(run.layers[k].data, source)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"out/a mixture_source_{k + 1}.tif"), source)


def test_what_was_saved_repeats_the_run(from_file, tmp_path):
    run = run_real(from_file)
    files = from_file.widget.save(tmp_path / "saved")
    assert {f.name for f in files} == {
        "a_mixture_source_1.tif",
        "a_mixture_source_2.tif",
        "a_mixture_residual.tif",
        "a_mixture_preview.png",
        "a_mixture_run.json",
        "a_mixture_report.html",
    }
    np.testing.assert_array_equal(tifffile.imread(files[0]), run.layers[0].data)
    again = CliRunner().invoke(
        build_app(), ["separate", "--settings", str(files[-1]), "-o", str(tmp_path / "again")]
    )
    assert again.exit_code == 0, again.output
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "again/a mixture_source_1.tif"), run.layers[0].data
    )


def test_a_command_for_layers_without_files_says_what_to_save(undocked, fake_run):
    run = undocked.widget.run()
    undocked.wait_idle()
    text = as_command(run.layers[0].metadata["napari-bitsnet"])
    assert text.startswith(
        "# Save the layers under these names first.\nnapari-bitsnet separate painting.tif -o out"
    )


def test_saving_needs_a_result(undocked, tmp_path):
    with pytest.raises(ValueError, match="Expected a finished run to save"):
        undocked.widget.save(tmp_path)


def test_saved_pixels_keep_their_size(undocked, fake_run, tmp_path):
    layer = undocked.viewer.layers["painting"]
    layer.units = ("mm", "mm")
    undocked.widget.run()
    undocked.wait_idle()
    undocked.widget.separation.result.provenance.update(preset="quick", task="separate")
    files = undocked.widget.save(tmp_path)
    with tifffile.TiffFile(files[0]) as tiff:
        assert tiff.imagej_metadata["unit"] == "mm"
        numerator, denominator = tiff.pages[0].tags["XResolution"].value
        assert numerator / denominator == pytest.approx(1 / 0.25)
    assert json.loads(files[-1].read_text())["inputs"] == {}


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (("mm", "mm", "mm"), Calibration((4, 2), "mm", 3)),
        (("cm", "mm", "mm"), Calibration((4, 2), "mm", 30)),
        (("s", "mm", "mm"), Calibration((4, 2), "mm")),
        (("pixel", "mm", "mm"), Calibration((4, 2), "mm")),
        (("mm", "cm", "mm"), Calibration((4, 0.2), "mm", 3)),
        (None, None),
    ],
)
def test_the_distance_of_slices_is_kept_where_it_is_a_length(undocked, units, expected):
    layer = undocked.viewer.add_image(np.zeros((5, 8, 9)), scale=(3, 0.5, 0.25), units=units)
    found = calibration(layer_part(layer))
    assert (found is None) == (expected is None)
    if found is not None:
        assert found.per_unit == pytest.approx(expected.per_unit)
        assert (found.unit, found.z_step) == (expected.unit, pytest.approx(expected.z_step))
        alone = calibration(layer_part(layer, position=(2,)))
        assert (alone.per_unit, alone.z_step) == (found.per_unit, None)


def test_a_layer_without_unit_has_the_size_that_its_file_says(undocked, tmp_path):
    stack, about = np.zeros((3, 8, 9), np.uint16), {"axes": "ZYX", "unit": "mm", "spacing": 3.0}
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(4, 2), metadata=about)
    with layer_source(path=str(tmp_path / "a.tif")):
        layer = undocked.viewer.add_image(stack)
    assert calibration(layer_part(layer)) == Calibration((4, 2), "mm", 3)
    layer.units, layer.scale = ("cm", "cm", "cm"), (2, 1, 1)
    assert calibration(layer_part(layer)) == Calibration((1, 1), "cm", 2)  # the viewer's word goes first
    (tmp_path / "a.tif").unlink()
    layer.units = ("pixel",) * 3
    assert calibration(layer_part(layer)) is None


def test_kind_and_depth_of_files_are_chosen_in_the_dock(undocked, fake_run, tmp_path):
    undocked.viewer.layers["painting"].data = (250 * undocked.viewer.layers["painting"].data).astype(np.uint8)
    undocked.widget.settings = undocked.widget.settings.updated({"task": "separate", "preset": "quick"})
    undocked.widget.run()
    undocked.wait_idle()
    undocked.widget.save(tmp_path / "before")
    assert tifffile.imread(tmp_path / "before/painting_source_1.tif").dtype == np.float32
    options = undocked.widget.record.files
    options.field("format").value, options.field("depth").value = "ome", "input"
    undocked.widget.save(tmp_path / "after")
    with tifffile.TiffFile(tmp_path / "after/painting_source_1.ome.tif") as tiff:
        assert tiff.is_ome
        assert tiff.series[0].dtype == np.uint8
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "after/painting_source_1.ome.tif"),
        np.round(tifffile.imread(tmp_path / "before/painting_source_1.tif")),
    )
    undocked.widget._folder = str(tmp_path / "kept")  # of the preferences, written aside
    undocked.widget.run()
    undocked.wait(lambda: (tmp_path / "kept/painting_source_2.ome.tif").exists())
    assert tifffile.imread(tmp_path / "kept/painting_source_2.ome.tif").dtype == np.uint8


def test_every_result_is_written_to_the_folder_of_the_preferences(undocked, fake_run, tmp_path):
    undocked.widget._folder = str(tmp_path / "kept")
    undocked.widget.run()
    undocked.wait(lambda: (tmp_path / "kept/painting_source_2.tif").exists())
    assert (tmp_path / "kept/painting_run.json").exists()


def test_a_folder_that_cannot_be_written_to_is_said(undocked, fake_run, tmp_path):
    (tmp_path / "file").touch()
    undocked.widget._folder = str(tmp_path / "file")
    undocked.widget.run()
    undocked.wait(lambda: "could not be written" in undocked.widget.notice.text)
    assert "Expected a folder that can be written to" in undocked.widget.notice.text


def test_layer_names_as_file_names():
    assert file_stem("Front / détail: 1") == "Front_détail_1"
    assert file_stem("…") == "mixture"


def test_the_package_offers_it():
    assert callable(nb.separate_layer)


def test_a_mask_of_a_colour_image_is_a_grey_layer(undocked):
    viewer = undocked.viewer
    layer = viewer.add_image(np.zeros((5, 6, 3), np.uint8), rgb=True, name="cup")
    shown = PreviewLayers(viewer, [layer_part(layer)])
    mask = np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 6)
    outputs = described("segment", {"mask": mask, "weights": np.eye(2, dtype=np.float32)})
    (added,) = shown.finish(outputs, {})
    assert not added.rgb
    np.testing.assert_array_equal(added.data, mask)
