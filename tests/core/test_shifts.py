"""Shifts: found between mixtures of different weights, undone, and left alone where nothing is clear."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import shift as move

from napari_bitsnet.core.shifts import find_shift, undo_shift, unseen_border
from napari_bitsnet.data.photographs import photograph


@pytest.fixture(scope="module")
def mixtures() -> list[np.ndarray]:
    first, second = photograph(0, 80), photograph(1, 80)
    return [0.6 * first + 0.4 * second, 0.4 * first + 0.6 * second]


@pytest.mark.parametrize("shift", [(0.4, 0.2), (-1.3, 2.6), (3.0, 0.0)])
def test_a_shift_is_found_and_undone(mixtures, shift):
    moved = move(mixtures[1], (*shift, 0), order=5, mode="reflect")
    found = find_shift(moved, mixtures[0])
    np.testing.assert_allclose(found, shift, atol=0.1)
    back = undo_shift(moved, found)
    seen = ~unseen_border((80, 80), shift)
    seen[:4], seen[-4:], seen[:, :4], seen[:, -4:] = False, False, False, False
    assert np.abs(back - mixtures[1])[seen].mean() < 0.3 * np.abs(moved - mixtures[1])[seen].mean()


def test_images_that_lie_right_are_left_alone(mixtures):
    assert find_shift(mixtures[1], mixtures[0]) == (0.0, 0.0)
    assert undo_shift(mixtures[1], (0.0, 0.0)) is mixtures[1]


def test_unrelated_and_empty_images_are_left_alone():
    assert find_shift(photograph(5, 64), photograph(9, 64)) == (0.0, 0.0)
    assert find_shift(np.ones((64, 64)), photograph(9, 64)) == (0.0, 0.0)


def test_the_border_that_is_not_seen_lies_where_the_image_came_from():
    lacking = unseen_border((8, 9), (1.5, -0.3))
    assert lacking[-2:].all()
    assert lacking[:, 0].all()
    assert lacking.sum() == 2 * 9 + 6
