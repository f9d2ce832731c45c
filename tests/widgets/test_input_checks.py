"""The image itself is no guide, and nothing is chosen twice."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_bitsnet.widgets.forms.input_checks import check_different

A, B = np.arange(12.0).reshape(3, 4), np.ones((3, 4))


def layers():
    return Image(A, name="x-ray"), Image(B, name="front"), Image(A.copy(), name="copy")


def test_different_layers_pass():
    xray, front, _ = layers()
    check_different([xray], [front, None])
    check_different([xray, front], [])


@pytest.mark.parametrize("same", [0, 2])
def test_the_image_is_not_its_own_guide(same):
    xray, front, _ = layers()
    with pytest.raises(
        ValueError, match=r"as guide 2, got (x-ray|copy), the image itself: a guide shows one source"
    ):
        check_different([xray], [front, layers()[same]])


def test_nothing_is_given_twice():
    xray, front, copy = layers()
    with pytest.raises(ValueError, match="Expected different guides, got front twice"):
        check_different([xray], [front, front])
    with pytest.raises(ValueError, match="Expected different mixtures, got copy twice"):
        check_different([xray, front, copy], [])


def test_the_dock_says_so(undocked, image):
    undocked.widget.task.apply("xray", {})
    painting = undocked.viewer.layers["painting"]
    undocked.widget.inputs.choose("guides", [painting, None])
    assert undocked.widget.run() is None
    assert "got painting, the image itself" in undocked.widget.notice.text
