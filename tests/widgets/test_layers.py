"""Parts of layers: what a run gets, and that its outputs lie where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_bitsnet.widgets.layers.parts import describe, layer_part

ODD = {
    "scale": (2.0, 0.5, 0.3),
    "translate": (3.0, 4.0, 5.0),
    "rotate": 30,
    "shear": (0.1, 0.2, 0.3),
    "affine": np.array([[1, 0, 0, 7], [0, 1.1, 0.2, 8], [0, -0.1, 0.9, 9], [0, 0, 0, 1.0]]),
    "units": ("s", "um", "um"),
    "axis_labels": ("t", "y", "x"),
}


@pytest.fixture
def stack() -> Image:
    return Image(
        np.random.default_rng(0).random((4, 20, 30)), name="stack", colormap="magma", gamma=0.7, **ODD
    )


@pytest.mark.parametrize(
    ("position", "box", "axes"),
    [
        (None, None, "ZYX"),
        ((2,), None, "YX"),
        ((2,), (slice(3, 9), slice(4, 20)), "YX"),
        (None, (slice(3, 9), slice(4, 20)), "ZYX"),
    ],
)
def test_a_feature_stays_where_it_is_in_the_world(stack, position, box, axes):
    part = layer_part(stack, position=position, box=box)
    shown = Image(part.to_layer_data(part.array), **part.geometry, **part.look)
    assert part.axes == axes
    origin = np.array([*(position or (0,)), *(s.start for s in box or (slice(0, 0),) * 2)], dtype=float)
    feature = np.array([2.0, 5.0, 6.0])
    np.testing.assert_allclose(shown.data_to_world(feature - origin), stack.data_to_world(feature))
    assert shown.units == stack.units
    assert shown.axis_labels == stack.axis_labels
    assert shown.colormap.name == "magma"
    assert shown.gamma == 0.7


@pytest.mark.parametrize("level", [0, 1, 2])
def test_levels_of_a_multiscale_image_lie_on_each_other(level):
    full = np.random.default_rng(0).random((64, 48))
    levels = [full, full[::2, ::2], full[::4, ::4]]
    pyramid = Image(levels, multiscale=True, scale=(0.3, 0.7), rotate=10, translate=(5, 6))
    part = layer_part(pyramid, level=level)
    shown = Image(part.array, **part.geometry)
    factor = 2**level
    # pixel i of the level covers full-resolution pixels factor * i … factor * i + factor - 1
    middle = np.array([3, 5]) * factor + (factor - 1) / 2
    np.testing.assert_allclose(shown.data_to_world((3, 5)), pyramid.data_to_world(middle))


def test_a_run_keeps_the_pixels_of_its_start():
    data = np.ones((8, 9))
    part = layer_part(Image(data))
    data[:] = 0
    assert part.array.min() == 1


def test_lazy_arrays_stay_lazy():
    dask = pytest.importorskip("dask.array")
    part = layer_part(Image(dask.zeros((3, 40, 50), chunks=(1, 40, 50)), rgb=False), position=(1,))
    assert isinstance(part.array, dask.Array)
    assert part.array.shape == (40, 50)


@pytest.mark.parametrize("extra", [0, 1, 2, 3, 4])
def test_axes_are_named_after_their_number(extra):
    part = layer_part(Image(np.zeros((2,) * extra + (40, 50)), rgb=False))
    assert part.axes == "APTZ"[4 - extra :] + "YX"
    assert part.stack_shape == (2,) * extra


def test_colours_are_a_last_axis_on_naparis_scale():
    layer = Image(np.full((3, 40, 50, 3), 51, np.uint8), rgb=True)
    whole, plane = layer_part(layer), layer_part(layer, position=(1,))
    assert (whole.axes, plane.axes) == ("ZYXC", "YXC")
    assert whole.stack_shape == (3,)
    shown = plane.to_layer_data(plane.array.astype(np.float32))
    assert shown.shape == (1, 40, 50, 3)
    np.testing.assert_allclose(shown, 0.2)
    assert plane.look == {}


def test_labels_have_no_look():
    part = layer_part(Labels(np.zeros((40, 50), np.uint8), name="hints"))
    assert part.look == {}
    assert part.name == "hints"
    assert part.record["dtype"] == "uint8"


def test_what_was_taken_is_recorded(stack):
    part = layer_part(stack, position=(2,), box=(slice(3, 9), slice(4, 20)))
    assert part.record == {
        "name": "stack",
        "path": None,
        "shape": [4, 20, 30],
        "dtype": "float64",
        "level": 0,
        "position": [2],
        "box": [[3, 9], [4, 20]],
        "resampled": None,
    }
    assert not part.is_file


def test_a_layer_in_words(stack):
    assert describe(stack) == "30 × 20 × 4 slices float64, 0.3 µm/px"
    assert describe(Image(np.zeros((40, 50, 3), np.uint8), rgb=True)) == "50 × 40 RGB uint8"
