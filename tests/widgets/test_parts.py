"""Stacks, colours, levels, lazy arrays and regions, with odd places in the world: outputs lie on their
inputs."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::napari_bitsnet.api.notices.NotSeparatedWarning")

FAST = {
    "method": "bitsnet",
    "preset": "quick",
    "settings": {"iterations": 2, "start": "none"},
    "device": "cpu",
}
RNG = np.random.default_rng(0)
ODD_2D = {"scale": (0.5, 0.3), "translate": (4, 5), "rotate": 30, "shear": [0.2], "units": ("mm", "mm")}
ODD_3D = {
    "scale": (2, 0.5, 0.3),
    "translate": (3, 4, 5),
    "affine": np.array([[1, 0, 0, 7], [0, 1.1, 0.2, 8], [0, -0.1, 0.9, 9], [0, 0, 0, 1.0]]),
    "units": ("s", "um", "um"),
    "axis_labels": ("t", "y", "x"),
}


@pytest.fixture
def run_on(undocked):
    """Run on a new layer; returns the run and the layer."""

    def run(data, *, before=lambda layer: None, **look):
        undocked.viewer.layers.clear()
        layer = undocked.viewer.add_image(data, name="mixture", **look)
        undocked.widget.inputs.choose("mixture", [layer])
        undocked.widget.settings = undocked.widget.settings.updated(FAST)
        before(layer)
        done = undocked.widget.run()
        undocked.wait_idle()
        assert done is not None, undocked.widget.notice.text
        assert done.result is not None, undocked.widget.notice.text
        return done, layer

    return run


def assert_same_place(output, layer, origin=None):
    """Pixel (3, 4) of the output's last two axes is where the layer has it."""
    origin = np.zeros(layer.ndim) if origin is None else np.asarray(origin, float)
    place = np.zeros(layer.ndim)
    place[-2:] = 3, 4
    np.testing.assert_allclose(output.data_to_world(place), layer.data_to_world(origin + place))
    assert output.units == layer.units
    assert output.axis_labels == layer.axis_labels


def test_colours(run_on):
    run, layer = run_on((RNG.random((20, 24, 3)) * 255).astype(np.uint8), rgb=True, **ODD_2D)
    run.show_output("residual")
    first, second, residual = run.layers
    assert first.rgb
    assert_same_place(first, layer)
    np.testing.assert_allclose(first.data + second.data + residual.data, layer.data / 255, atol=1e-5)


def test_the_current_slice(run_on, undocked):
    def go_to_slice(layer):
        undocked.viewer.dims.set_point(0, layer.data_to_world((2, 0, 0))[0])

    run, layer = run_on(RNG.random((4, 20, 24)), before=go_to_slice, **ODD_3D)
    run.show_output("residual")
    first, second, residual = run.layers
    assert first.data.shape == (1, 20, 24)
    assert_same_place(first, layer, (2, 0, 0))
    np.testing.assert_allclose((first.data + second.data + residual.data)[0], layer.data[2], atol=1e-5)


@pytest.mark.parametrize("lazy", [False, True])
def test_all_slices(run_on, undocked, lazy):
    data = RNG.random((3, 20, 24))
    if lazy:
        data = pytest.importorskip("dask.array").from_array(data, chunks=(1, 20, 24))
    run, layer = run_on(data, before=lambda _: undocked.widget.part.slices.choose("all"), **ODD_3D)
    run.show_output("residual")
    first, second, residual = run.layers
    assert first.data.shape == (3, 20, 24)
    assert_same_place(first, layer)
    np.testing.assert_allclose(first.data + second.data + residual.data, np.asarray(layer.data), atol=1e-5)


@pytest.mark.parametrize("level", [0, 1])
def test_a_level_of_a_pyramid(run_on, undocked, level):
    full = RNG.random((40, 48))
    run, layer = run_on(
        [full, full[::2, ::2]],
        before=lambda _: undocked.widget.part.level.choose(level),
        multiscale=True,
        **ODD_2D,
    )
    assert run.layers[0].data.shape == (40 // 2**level, 48 // 2**level)
    factor = 2**level
    middle = np.array([3, 4]) * factor + (factor - 1) / 2
    np.testing.assert_allclose(run.layers[0].data_to_world((3, 4)), layer.data_to_world(middle))


def test_a_selected_rectangle(run_on, undocked):
    def draw(layer):
        corners = [layer.data_to_world(c) for c in ((5, 6), (5, 17), (16, 17), (16, 6))]
        undocked.viewer.add_shapes([np.array(corners)], shape_type="polygon")
        undocked.widget.part.region.choose("rectangle")

    run, layer = run_on(RNG.random((24, 32)), before=draw, **ODD_2D)
    run.show_output("residual")
    first, second, residual = run.layers
    assert first.data.shape == (12, 12)
    assert_same_place(first, layer, (5, 6))
    np.testing.assert_allclose(first.data + second.data + residual.data, layer.data[5:17, 6:18], atol=1e-5)


def test_without_a_rectangle_it_says_what_is_missing(undocked):
    undocked.widget.part.region.choose("rectangle")
    assert undocked.widget.run() is None
    assert "Expected a rectangle in a Shapes layer" in undocked.widget.notice.text


def test_what_is_in_view(run_on, undocked):
    def look_at(layer):
        layer.corner_pixels = np.array([[4, 6], [15, 19]])
        undocked.widget.part.region.choose("view")

    run, layer = run_on(RNG.random((24, 32)), before=look_at)
    assert run.layers[0].data.shape == (12, 14)
    assert_same_place(run.layers[0], layer, (4, 6))


def test_masked_pixels_come_back_as_nan(undocked, image):
    labels = np.zeros((24, 32), np.uint8)
    labels[2:5, 3:9] = 1
    mask = undocked.viewer.add_labels(labels, name="mask", scale=(0.5, 0.25))
    undocked.widget.inputs.choose("mask", [mask])
    undocked.widget.settings = undocked.widget.settings.updated(FAST)
    run = undocked.widget.run()
    undocked.wait_idle()
    np.testing.assert_array_equal(np.isnan(run.layers[0].data), labels > 0)


def test_choices_are_hidden_where_there_are_none(undocked):
    rows = undocked.widget.part._rows
    hidden = {name: row.native.isHidden() for name, row in rows.items()}
    assert hidden == {"slices": True, "region": False, "level": True}
    stack = undocked.viewer.add_image(RNG.random((3, 20, 24)), name="stack")
    undocked.widget.inputs.choose("mixture", [stack])
    assert not rows["slices"].native.isHidden()


def test_shapes_say_where_pixels_are_left_out(undocked, image):
    layer = undocked.viewer.layers["painting"]
    layer.rotate, layer.translate = 20, (3, 4)
    corners = np.array([layer.data_to_world(c) for c in ((3.5, 4.5), (3.5, 10.5), (9.5, 10.5), (9.5, 4.5))])
    shapes = undocked.viewer.add_shapes([corners], shape_type="polygon", name="cracks")
    shapes.add_ellipses(np.array([layer.data_to_world(c) for c in ((12, 14), (12, 26), (22, 26), (22, 14))]))
    undocked.widget.inputs.choose("mask", [shapes])
    undocked.widget.settings = undocked.widget.settings.updated(FAST)
    run = undocked.widget.run()
    undocked.wait_idle()
    missing = np.isnan(run.layers[0].data)
    rectangle = np.zeros_like(missing)
    rectangle[4:10, 5:11] = True
    y, x = np.mgrid[:24, :32]
    radius = np.hypot((y - 17) / 5, (x - 20) / 6)
    np.testing.assert_array_equal(missing[:11], rectangle[:11])
    assert missing[11:][radius[11:] < 0.9].all()
    assert not missing[11:][radius[11:] > 1.1].any()
    assert run.layers[0].metadata["napari-bitsnet"]["layers"]["mask"]["name"] == "cracks"
