"""Layers in other units: wherever the places of two layers are compared, they are brought to one unit
first."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points, Shapes

from napari_bitsnet.widgets import task_widget
from napari_bitsnet.widgets.forms.part_form import CURRENT, IN_VIEW, RECTANGLE
from napari_bitsnet.widgets.layers.alignment import align
from napari_bitsnet.widgets.layers.parts import layer_part
from napari_bitsnet.widgets.layers.placing import in_pixels
from napari_bitsnet.widgets.layers.shapes import shapes_part
from napari_bitsnet.widgets.layers.units import factors, units_remark

MM, UM, PIXEL = ("mm", "mm"), ("um", "um"), ("pixel", "pixel")
SQUARE = np.array([[5, 5], [5, 15], [15, 15], [15, 5]], dtype=float)  # mm


@pytest.fixture
def picture() -> np.ndarray:
    """Noise: any shift shows."""
    return np.random.default_rng(3).random((40, 44)).astype(np.float32)


@pytest.fixture
def xray(picture) -> Image:
    """20 by 22 mm."""
    return Image(picture, scale=(0.5, 0.5), units=MM, name="xray")


def test_factors_belong_to_the_last_axes_and_are_one_where_there_is_no_ratio():
    flat, stack = Image(np.zeros((4, 4)), units=UM), Image(np.zeros((2, 4, 4)), units=("s", "mm", "cm"))
    np.testing.assert_allclose(factors(flat.units, stack.units, 3), [1, 1e-3, 1e-4])
    np.testing.assert_allclose(factors(stack.units, flat.units, 2), [1e3, 1e4])
    np.testing.assert_array_equal(factors(stack.units, Image(np.zeros((4, 4))).units, 2), [1, 1])
    np.testing.assert_array_equal(factors(None, flat.units, 2), [1, 1])


def test_a_guide_in_other_units_is_read_where_it_lies(picture, xray):
    mixture = layer_part(xray)
    guide = Image(picture, scale=(500, 500), units=UM, name="photo")
    np.testing.assert_array_equal(align(layer_part(guide), mixture).array, picture)
    moved = Image(picture, scale=(500, 500), translate=(1000, -500), units=UM, name="moved")
    found = align(layer_part(moved), mixture).array
    np.testing.assert_allclose(found[2:, :-1], picture[:-2, 1:], atol=1e-5)
    one_each = Image(picture, scale=(500, 0.05), units=("um", "cm"), name="one each")
    np.testing.assert_array_equal(align(layer_part(one_each), mixture).array, picture)


def test_labels_in_other_units_keep_their_places(xray):
    labels = np.zeros((40, 44), np.uint8)
    labels[3:9, 20:31] = 2
    hints = Labels(labels, scale=(500, 500), units=UM)
    np.testing.assert_array_equal(align(layer_part(hints), layer_part(xray), labels=True).array, labels)


def test_shapes_and_points_in_other_units(xray):
    inside = [shapes_part(Shapes([SQUARE * f], shape_type="polygon", units=u), layer_part(xray)).array
              for f, u in ((1, MM), (1000, UM))]  # fmt: skip
    np.testing.assert_array_equal(inside[0], inside[1])
    assert 380 < inside[0].sum() < 460
    points = Points(SQUARE * 1000, units=UM)
    np.testing.assert_allclose(in_pixels(points, xray), SQUARE / 0.5)
    far = Points([[0, 5000, 15000]], units=("um", "um", "um"))
    np.testing.assert_allclose(in_pixels(far, xray), [[10, 30]])


@pytest.fixture
def viewer(xray) -> ViewerModel:
    viewer = ViewerModel()
    viewer.add_layer(xray)
    return viewer


def test_a_rectangle_in_other_units_is_the_same_region(qtbot, viewer):
    widget = task_widget.TaskWidget(viewer)
    for factor, units in ((1, MM), (1000, UM)):
        shapes = viewer.add_shapes([SQUARE * factor], shape_type="polygon", units=units)
        widget.part.region.choose(RECTANGLE)
        assert widget.form.request().mixtures[0].record["box"] == [[10, 31], [10, 31]]
        viewer.layers.remove(shapes)


def test_the_slice_that_is_shown_is_taken_whatever_units_the_viewer_counts_in(qtbot, picture):
    viewer = ViewerModel()
    stack = np.stack([picture + k for k in range(5)])
    layer = viewer.add_image(stack, scale=(2, 0.5, 0.5), units=("mm", "mm", "mm"), name="stack")
    widget = task_widget.TaskWidget(viewer)
    widget.inputs.choose("mixture", [layer])
    widget.part.slices.choose(CURRENT)
    for units in (MM, UM, ("cm", "cm")):
        other = viewer.add_image(picture, units=units)
        for step in (1, 3):
            viewer.dims.set_current_step(0, step)
            shown = widget.form.request().mixtures[0]
            assert shown.record["position"] == [step]
            np.testing.assert_array_equal(shown.array, stack[step])
        viewer.layers.remove(other)


def test_what_is_in_view_is_not_guessed_where_the_viewer_counts_in_other_units(qtbot, viewer, picture):
    widget = task_widget.TaskWidget(viewer)
    widget.inputs.choose("mixture", [viewer.layers["xray"]])
    viewer.add_image(picture, scale=(500, 500), units=UM, name="photo")
    widget.part.region.choose(IN_VIEW)
    with pytest.raises(ValueError, match=r"units of xray \(mm\).*draw a rectangle"):
        widget.form.request()


def test_units_without_a_ratio_are_said(xray, picture):
    placed = Image(picture, scale=(2, 2), name="photo")
    assert "photo lies on axes in pixel, xray in millimeter" in units_remark(placed, xray)
    assert units_remark(Image(picture), xray) == ""  # it lies nowhere: it is stretched over the image
    assert units_remark(Image(picture, scale=(2, 2), units=UM), xray) == ""
    assert units_remark(Shapes([SQUARE], units=PIXEL, name="area"), xray).startswith("area")


def test_a_run_says_that_numbers_were_compared(undocked, fake_run, image):
    undocked.viewer.layers["painting"].units = MM
    undocked.viewer.add_labels(np.ones(image.shape, np.uint8), scale=(0.5, 0.5), name="hints")
    undocked.widget.inputs.choose("hints", [undocked.viewer.layers["hints"]])
    undocked.widget.run()
    undocked.wait_idle()
    assert "no ratio" in undocked.widget.notice.text
