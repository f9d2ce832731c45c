"""From scripts and from the dock the same numbers as from Python."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

import napari_bitsnet as nb
from napari_bitsnet.data.panel import simulate_panel
from napari_bitsnet.data.synthetic import photograph_mixtures
from napari_bitsnet.widgets.layers.parts import layer_part
from napari_bitsnet.widgets.run.preview import PreviewLayers
from tests.described import described

pytestmark = pytest.mark.filterwarnings("ignore::napari_bitsnet.api.notices.NotSeparatedWarning")

FAST = {
    "method": "bitsnet",
    "preset": "quick",
    "settings": {"iterations": 4, "start": "none"},
    "device": "cpu",
}


@pytest.fixture
def viewer(image):
    viewer = ViewerModel()
    viewer.add_image(image, name="painting", scale=(0.5, 0.25), translate=(1, 2))
    return viewer


def test_a_script_gets_layers_with_the_numbers_of_python(viewer, image):
    layers = nb.separate_layer(viewer, viewer.layers[0], seed=3, **FAST)
    result = nb.separate(image, seed=3, **FAST)
    assert [layer.name for layer in layers] == ["painting source 1", "painting source 2", "painting residual"]
    assert [layer in viewer.layers for layer in layers] == [True] * 3
    for layer, expected in zip(layers, result.outputs.values(), strict=True):
        np.testing.assert_array_equal(layer.data, expected)
        np.testing.assert_allclose(layer.translate, (1, 2))
    assert layers[0].metadata["napari-bitsnet"]["settings"]["seed"] == 3


def test_the_dock_gives_the_numbers_of_python(undocked, image):
    undocked.widget.settings = undocked.widget.settings.updated({**FAST, "seed": 3})
    run = undocked.widget.run()
    undocked.wait_idle()
    assert "Not separable" in undocked.widget.notice.text
    result = nb.separate(image, seed=3, **FAST)
    for name in run.further_outputs():
        run.show_output(name)
    for name, expected in result.outputs.items():
        np.testing.assert_array_equal(run.layer_of(name).data, expected)


def test_of_a_stack_all_slices(image):
    viewer = ViewerModel()
    stack = viewer.add_image(np.stack([image, image[::-1]]), name="stack", scale=(3, 1, 1))
    first, *_ = nb.separate_layer(viewer, stack, **FAST)
    assert first.data.shape == stack.data.shape
    assert np.isfinite(first.data).all()


def test_unknown_options_are_refused_before_any_work(viewer):
    with pytest.raises(ValueError, match="Unknown setting 'colour'"):
        nb.separate_layer(viewer, viewer.layers[0], colour=True)
    assert len(viewer.layers) == 1


def test_guides_and_several_mixtures_give_the_numbers_of_python_too(undocked):
    made = simulate_panel(0, (48, 56))
    viewer, widget = undocked.viewer, undocked.widget
    viewer.layers.clear()
    xray = viewer.add_image(made.mixture, name="x-ray")
    guides = [viewer.add_image(g, name=f"guide {k}", rgb=True) for k, g in enumerate(made.guides)]
    widget.task.apply("xray", {})
    widget.inputs.choose("mixture", [xray])
    widget.inputs.choose("guides", guides)
    widget.method.preset.choose("quick")
    run = widget.run()
    undocked.wait_idle()
    expected = nb.run("xray", made.mixture, guides=made.guides, preset="quick")
    for name in run.further_outputs():
        run.show_output(name)
    assert {layer.metadata["napari-bitsnet"]["output"] for layer in run.layers} == set(expected.outputs)
    np.testing.assert_array_equal(run.layers[0].data, expected.outputs["source_1"])

    pair = photograph_mixtures(0, (48, 56)).mixtures
    layers = [viewer.add_image(m, name=f"mixture {k}", rgb=True) for k, m in enumerate(pair)]
    widget.task.apply("multi_mixture", {})
    widget.inputs.choose("mixture", layers)
    run = widget.run()
    undocked.wait_idle()
    expected = nb.run("multi_mixture", list(pair), preset="quick")
    np.testing.assert_array_equal(run.layers[0].data, expected.outputs["source_1"] / np.float32(255))
    assert [layer.metadata["napari-bitsnet"]["output"] for layer in run.layers] == ["source_1", "source_2"]


def test_labels_become_a_labels_layer(viewer, image):
    hints = np.zeros(image.shape, np.uint8)
    hints[3:6, 3:9], hints[14:18, 20:28] = 1, 2
    marks = viewer.add_labels(hints, name="marks", scale=(0.5, 0.25), translate=(1, 2))
    layers = nb.separate_layer(
        viewer, viewer.layers[0], task="segment", hints=marks, preset="quick", device="cpu"
    )
    (found,) = (layer for layer in layers if layer.name == "painting labels")
    assert isinstance(found, Labels)
    assert set(np.unique(found.data)) == {1, 2}
    np.testing.assert_allclose(found.scale, (0.5, 0.25))
    np.testing.assert_allclose(found.translate, (1, 2))
    assert found.metadata["napari-bitsnet"]["output"] == "labels"


def test_outputs_of_one_of_several_layers_are_named_by_it(viewer, image):
    part, other = (layer_part(viewer.add_image(image, name=name)) for name in ("cat", "dog"))
    shown = PreviewLayers(viewer, [part, other])
    names = ("clean_1", "clean_2", "watermark")
    outputs = described("watermark", {name: np.asarray(image, np.float32) for name in names})
    assert [layer.name for layer in shown.finish(outputs, {})] == ["cat clean", "dog clean", "cat watermark"]
