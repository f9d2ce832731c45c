"""Guides of another size or pixel size end up on the mixture's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_bitsnet.widgets.layers.alignment import align, is_placed
from napari_bitsnet.widgets.layers.parts import layer_part


def ramp(layer: Image, direction=(1.0, 2.0)) -> np.ndarray:
    """Values that say where in the world (its last two axes) each pixel of the layer lies."""
    height, width = layer.data.shape[:2]
    grid = np.indices((height, width)).reshape(2, -1).T
    world = np.array([layer.data_to_world(p) for p in grid])
    return (world @ np.asarray(direction)).reshape(height, width)


PLACES = [
    {"scale": (0.5, 0.25)},
    {"scale": (2.0, 1.5), "translate": (3.0, -4.0), "rotate": 20, "shear": [0.1]},
    {"affine": np.array([[1.1, 0.2, 8], [-0.1, 0.9, 9], [0, 0, 1.0]]), "scale": (0.4, 0.7)},
]


@pytest.mark.parametrize("place", PLACES)
def test_a_placed_guide_is_read_where_it_lies(place):
    mixture = Image(np.zeros((12, 14)), scale=(0.3, 0.4), translate=(2, 1), rotate=5)
    guide = Image(np.zeros((90, 95)), **place)
    gap = np.subtract(mixture.data_to_world((6, 7)), guide.data_to_world((45, 47)))
    guide.translate = np.asarray(guide.translate) + np.linalg.solve(guide.affine.linear_matrix, gap)  # on it
    guide.data = ramp(guide)
    aligned = align(layer_part(guide), layer_part(mixture))
    size = np.array(guide.data.shape)
    places = np.array(
        [guide.world_to_data(mixture.data_to_world(p)) for p in np.indices((12, 14)).reshape(2, -1).T]
    )
    inside = ((places >= 3) & (places <= size - 4)).all(axis=1).reshape(12, 14)  # clear of the guide's border
    assert inside.mean() > 0.9
    np.testing.assert_allclose(aligned.array[inside], ramp(mixture)[inside], atol=1e-3)


def test_a_guide_on_the_same_grid_is_left_as_it_is():
    place = {"scale": (0.5, 0.25), "translate": (1, 2), "rotate": 30}
    mixture = layer_part(Image(np.zeros((12, 14)), **place))
    guide = layer_part(Image(np.full((12, 14, 3), 7, np.uint8), rgb=True, **place))
    assert align(guide, mixture) is guide


def test_a_guide_without_a_place_is_left_to_the_task():
    mixture = layer_part(Image(np.zeros((12, 14)), scale=(0.05, 0.05)))
    guide = layer_part(Image(np.zeros((24, 28))))
    assert align(guide, mixture) is guide


def test_of_a_region_a_guide_without_a_place_shows_the_same_region():
    layer = Image(np.zeros((12, 14)), scale=(0.05, 0.05))
    y, x = np.mgrid[:36, :42].astype(float)
    aligned = align(layer_part(Image(y + 100 * x)), layer_part(layer, box=(slice(2, 9), slice(3, 11))))
    new_y, new_x = np.mgrid[2:9, 3:11]
    # borders on borders: pixel i of 12 has its middle at 3 i + 1 of 36
    np.testing.assert_allclose(aligned.array, (3 * new_y + 1) + 100 * (3 * new_x + 1), rtol=1e-4)
    assert aligned.record["resampled"]["matrix"] == [[3.0, 0.0], [0.0, 3.0]]


def test_of_a_region_a_guide_of_another_aspect_is_refused():
    region = layer_part(Image(np.zeros((12, 14))), box=(slice(2, 9), slice(3, 11)))
    with pytest.raises(
        ValueError, match="Expected front to have the aspect ratio of the image, 14 × 12, got 42 × 24"
    ):
        align(layer_part(Image(np.zeros((24, 42)), name="front")), region)


def test_labels_are_not_mixed():
    mixture = layer_part(Image(np.zeros((10, 10)), scale=(2, 2)))
    hints = layer_part(
        Labels(
            np.kron(np.array([[1, 2], [0, 2]], np.uint8), np.ones((10, 10), np.uint8)), translate=(-0.5, -0.5)
        )
    )
    aligned = align(hints, mixture, labels=True).array
    assert set(np.unique(aligned)) == {0, 1, 2}
    assert (aligned[:5, :5] == 1).all()


def test_each_slice_of_a_stack():
    mixture = layer_part(Image(np.zeros((3, 10, 10)), rgb=False))
    stack = np.arange(3.0)[:, None, None] * np.ones((3, 20, 20))
    aligned = align(layer_part(Image(stack, rgb=False, scale=(1, 0.5, 0.5))), mixture).array
    assert aligned.shape == (3, 10, 10)
    np.testing.assert_allclose(aligned.mean(axis=(1, 2)), [0, 1, 2])


def test_what_counts_as_placed():
    assert not is_placed(layer_part(Image(np.zeros((4, 4)))))
    assert is_placed(layer_part(Image(np.zeros((4, 4)), scale=(2, 2))))
    assert is_placed(layer_part(Image(np.zeros((4, 4)), translate=(2, 0))))
