"""Registration in the dock: automatically, by points, mirrored, bent; a checkerboard shows whether it
fits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from napari_bitsnet.core.registration.checkerboard import checkerboard
from napari_bitsnet.data.panel import simulate_panel

SIZE = (72, 64)
SHIFTED = np.array([[1, 0, 4.0], [0, 1, -6.0], [0, 0, 1]])
"""A photograph's pixels to the X-ray's."""


@pytest.fixture(scope="module")
def panel():
    made = simulate_panel(1, SIZE)
    front = np.stack(
        [
            affine_transform(c, np.eye(2), (4, -6), order=1, mode="nearest")
            for c in np.moveaxis(made.guides[0], -1, 0)
        ],
        axis=-1,
    )
    return made.mixture, front


@pytest.fixture
def placed(undocked, panel):
    """X-ray and photograph in the form, the X-ray with a place of its own."""
    viewer, widget = undocked.viewer, undocked.widget
    viewer.layers.clear()
    xray = viewer.add_image(panel[0], name="x-ray", scale=(0.5, 0.25), translate=(3, 4), units=("mm", "mm"))
    front = viewer.add_image(panel[1], name="front", rgb=True)
    widget.task.apply("xray", {})
    widget.inputs.choose("mixture", [xray])
    widget.inputs.choose("guides", [front, None])
    return undocked, widget.form.register, xray, front


def wait(undocked, form):
    undocked.wait(lambda: not form.busy)


def set_points(undocked, form):
    """Press *Set points*; return the layers for the points on the photograph and on the X-ray."""
    form.points.changed.emit(True)
    undocked.wait(lambda: form.points.text == "Use the points")
    return tuple(undocked.viewer.layers[f"points on {name}"] for name in ("front", "x-ray"))


def off(layer, xray, matrix=SHIFTED):
    """How far, in the X-ray's pixels, the layer is from where it belongs; the largest of some places."""
    places = [(10, 10), (10, 50), (60, 10), (60, 50)]
    found = [np.asarray(xray.world_to_data(layer.data_to_world(p))) for p in places]
    wanted = [(matrix @ (*p, 1))[:2] for p in places]
    return np.abs(np.subtract(found, wanted)).max()


def test_a_photograph_finds_its_place_and_goes_back(placed):
    undocked, form, xray, front = placed
    before = front.data_to_world((10, 20))
    assert off(front, xray) > 20
    form.model.choose("shift")
    form.register()
    assert form.line == "Registering…"
    assert not form.auto.enabled
    wait(undocked, form)
    assert off(front, xray) < 3  # the simulated photographs are themselves a little off
    assert front.units == xray.units
    assert form.line.startswith("front is in place. Registration score")
    assert form.auto.enabled
    part = undocked.widget.form.request().guides[0]
    assert part.array.shape[:2] == SIZE
    form.undo.changed.emit(True)
    np.testing.assert_allclose(front.data_to_world((10, 20)), before)
    assert not form.undo.enabled


def test_points_say_where_it_belongs_to(placed):
    undocked, form, xray, front = placed
    turned = np.array([[0.9, 0.1, 4.0], [-0.1, 1.1, -6.0], [0, 0, 1]])
    on_front, on_xray = set_points(undocked, form)
    assert form.points.text == "Use the points"
    form.use_points()
    assert form.line == "Expected as many points on both layers, got 0 and 0."
    for p in ((5, 5), (50, 8), (12, 55), (60, 50)):
        on_front.add(front.data_to_world(p))
        on_xray.add(xray.data_to_world((turned @ (*p, 1))[:2]))
    form.use_points()
    wait(undocked, form)
    assert off(front, xray, turned) < 1e-3
    assert form.points.text == "Set points"


def test_the_back_is_mirrored(placed):
    undocked, form, xray, front = placed
    front.data = front.data[:, ::-1].copy()
    form.mirror.value = True
    on_front, on_xray = set_points(undocked, form)
    for p in ((5, 5), (50, 8), (12, 55)):
        on_front.add(front.data_to_world((p[0], SIZE[1] - 1 - p[1])))
        on_xray.add(xray.data_to_world((SHIFTED @ (*p, 1))[:2]))
    form.use_points()
    wait(undocked, form)
    assert off(front, xray, SHIFTED @ [[1, 0, 0], [0, -1, SIZE[1] - 1], [0, 0, 1]]) < 1e-3


def test_a_bent_one_is_a_new_layer_in_its_place(placed):
    undocked, form, xray, front = placed
    form.model.choose("smooth")
    on_front, on_xray = set_points(undocked, form)
    on_front.add(front.data_to_world((20, 20)))
    on_xray.add(xray.data_to_world((24, 14)))
    form.use_points()
    wait(undocked, form)
    bent = undocked.viewer.layers["front registered"]
    assert bent.data.shape == (
        *SIZE,
        4,
    )  # moved down and left: what it does not cover is transparent, not black
    assert (bent.data[0, -1], bent.data[SIZE[0] // 2, SIZE[1] // 2, 3]) == (pytest.approx([0] * 4), 255)
    np.testing.assert_allclose(bent.data_to_world((7, 9)), xray.data_to_world((7, 9)))
    assert undocked.widget.inputs.chosen("guides") == [bent, None]
    np.testing.assert_array_equal(front.data_to_world((7, 9)), (7, 9))  # the old one is where it was


def test_the_checkerboard_is_renewed(placed):
    undocked, form, xray, front = placed
    form.show_checkerboard()
    board = undocked.viewer.layers["checkerboard"]
    np.testing.assert_array_equal(board.data, checkerboard(xray.data, front.data))
    np.testing.assert_allclose(board.data_to_world((7, 9)), xray.data_to_world((7, 9)))
    before = board.data.copy()
    on_front, on_xray = set_points(undocked, form)
    on_front.add(front.data_to_world((20, 20)))
    on_xray.add(xray.data_to_world((24, 14)))
    form.use_points()
    wait(undocked, form)
    assert undocked.viewer.layers["checkerboard"] == board
    assert not np.array_equal(board.data, before)


def test_layers_for_points_come_one_a_turn_in_the_units_of_their_images(placed):
    undocked, form, xray, front = placed
    form.use_points()
    form.use_points()  # pressed twice, there is still one pair
    assert undocked.names() == ["x-ray", "front", "points on front"]
    on_front, on_xray = set_points(undocked, form)
    assert undocked.names()[2:] == ["points on front", "points on x-ray"]
    assert (on_front.units, on_xray.units) == (front.units, xray.units)
    assert (on_front.mode, on_xray.mode) == ("add", "add")
    assert form.points.enabled


def test_points_belong_to_the_layer_on_which_they_were_set(placed, panel):
    undocked, form, xray, front = placed
    back = undocked.viewer.add_image(panel[1], name="back", rgb=True)
    undocked.widget.inputs.choose("guides", [front, back])
    on_front, on_xray = set_points(undocked, form)
    on_front.add((5, 5))
    on_xray.add(xray.data_to_world((9, 9)))
    form.moving.choose(back)
    assert form.points.text == "Set points"
    form.use_points()
    undocked.wait(lambda: form.points.text == "Use the points")
    form.use_points()
    assert form.line == "Expected as many points on both layers, got 0 and 0."
    assert not form.busy
    np.testing.assert_array_equal(back.data_to_world((7, 9)), (7, 9))


def test_what_fails_is_said(placed, monkeypatch):
    from napari_bitsnet.core.registration import register as registration

    undocked, form, _, _ = placed

    def fail(*args, **kwargs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(registration, "register", fail)
    form.register()
    wait(undocked, form)
    assert form.line == "The registration failed: out of memory"
    assert form.auto.enabled


def test_without_guides_there_is_nothing_to_register(undocked):
    form = undocked.widget.form
    assert not form.register.enabled
    assert not form.register.native.isVisibleTo(undocked.widget.native)
