"""From scripts and from the dock the same numbers as from Python."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_bitsnet as nb

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
    assert undocked.widget.notice.text.startswith("Not separable from this image alone")
    result = nb.separate(image, seed=3, **FAST)
    for layer, expected in zip(run.layers, result.outputs.values(), strict=True):
        np.testing.assert_array_equal(layer.data, expected)


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
