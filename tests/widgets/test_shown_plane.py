"""The current slice is the plane on the screen: where that is none along Y and X, a sentence says so."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_bitsnet.widgets import task_widget
from napari_bitsnet.widgets.forms.part_form import ALL, CURRENT, IN_VIEW, WHOLE


@pytest.fixture
def opened(qtbot):
    viewer = ViewerModel()
    layer = viewer.add_image(np.random.default_rng(0).random((4, 20, 24)), name="stack")
    widget = task_widget.TaskWidget(viewer)
    widget.inputs.choose("mixture", [layer])
    widget.part.slices.choose(CURRENT)
    return viewer, widget


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (1, 2, 0)])
def test_rolled_axes_are_said(opened, order):
    viewer, widget = opened
    viewer.dims.order = order
    with pytest.raises(ValueError, match=r"last two axes .* of stack, got the axes .* put them back"):
        widget.form.request()
    assert widget.run() is None
    assert "choose All slices" in widget.notice.text
    widget.part.slices.choose(ALL)
    assert widget.form.request().mixtures[0].array.shape == (4, 20, 24)
    widget.part.region.choose(IN_VIEW)
    with pytest.raises(ValueError, match="or choose Whole image"):
        widget.form.request()
    widget.part.region.choose(WHOLE)


def test_transposed_axes_show_the_same_plane(opened):
    viewer, widget = opened
    viewer.dims.order = (0, 2, 1)
    viewer.dims.set_current_step(0, 3)
    assert widget.form.request().mixtures[0].record["position"] == [3]


def test_a_volume_shows_no_slice(opened):
    viewer, widget = opened
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="got a volume: switch to 2D, or choose All slices"):
        widget.form.request()


def test_the_checkerboard_says_it_too(opened):
    viewer, widget = opened
    viewer.add_image(np.random.default_rng(1).random((20, 24, 3)), name="photo")
    widget.task.apply("xray", {})
    widget.inputs.choose("mixture", [viewer.layers["stack"]])
    widget.inputs.choose("guides", [viewer.layers["photo"], None])
    viewer.dims.order = (1, 0, 2)
    widget.form.register.show_checkerboard()
    assert widget.form.register.line.startswith("Expected the viewer to show the last two axes")
