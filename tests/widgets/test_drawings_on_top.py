"""What is drawn in stays above what a run adds: hints, masks, areas and points."""

from __future__ import annotations

import numpy as np
import pytest

DRAWINGS = {
    "labels": lambda viewer: viewer.add_labels(np.zeros((24, 32), np.uint8), name="drawn"),
    "shapes": lambda viewer: viewer.add_shapes([np.array([[1, 1], [5, 5]])], name="drawn"),
    "points": lambda viewer: viewer.add_points([[1, 1]], name="drawn"),
}


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_drawing_is_above_the_runs_layers(undocked, fake_run, kind):
    DRAWINGS[kind](undocked.viewer)
    undocked.widget.run()
    undocked.wait_idle()
    names = undocked.names()
    assert names[-1] == "drawn"
    assert names.index("painting source 1") < names.index("painting source 2")


def test_hints_painted_by_the_docks_button_stay_in_sight(undocked, fake_run):
    undocked.widget.paint_hints()
    for _ in range(2):
        undocked.widget.run()
        undocked.wait_idle()
    assert undocked.names()[-1] == "painting hints"


def test_hidden_images_do_not_count_and_visible_ones_do(undocked, fake_run, image):
    DRAWINGS["labels"](undocked.viewer)
    top = undocked.viewer.add_image(image, name="top", visible=False)
    undocked.widget.inputs.choose("mixture", [undocked.viewer.layers["painting"]])
    undocked.widget.run()
    undocked.wait_idle()
    names = undocked.names()
    assert names.index("drawn") > names.index("painting source 2")
    top.visible = True  # now it hides the drawing itself
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.names()[-1] == "painting source 2 [1]"
