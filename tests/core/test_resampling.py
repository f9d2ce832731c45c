"""Images on another grid: exact where it can be, smooth where it shrinks, labels never mixed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.core.resampling import resample_affine

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pixels_on_pixels_are_copied(dtype):
    image = (RNG.random((9, 11, 3)) * 200).astype(dtype)
    part = resample_affine(image, np.eye(2), (2, 3), (4, 5))
    assert part.dtype == dtype
    np.testing.assert_array_equal(part, image[2:6, 3:8])


def test_a_ramp_is_read_exactly_at_any_place():
    y, x = np.mgrid[:30, :40].astype(np.float32)
    matrix, offset = np.array([[0.8, 0.1], [-0.2, 0.7]]), np.array([6.0, 9.0])
    new_y, new_x = np.mgrid[:10, :12]
    at_y = matrix[0, 0] * new_y + matrix[0, 1] * new_x + offset[0]
    at_x = matrix[1, 0] * new_y + matrix[1, 1] * new_x + offset[1]
    read = resample_affine(2 * y - 3 * x, matrix, offset, (10, 12))
    np.testing.assert_allclose(read, 2 * at_y - 3 * at_x, atol=1e-3)


def test_beyond_the_border_the_border_goes_on():
    image = np.arange(12.0).reshape(3, 4)
    read = resample_affine(image, np.eye(2), (-2, 0), (3, 4))
    np.testing.assert_allclose(read, np.broadcast_to(image[0], (3, 4)))


def test_fine_patterns_do_not_alias_when_the_image_shrinks():
    checkerboard = np.indices((64, 64)).sum(axis=0) % 2 * 1.0
    read = resample_affine(checkerboard, 4 * np.eye(2), (0, 0), (16, 16))
    assert np.abs(read[1:-1, 1:-1] - 0.5).max() < 0.01


def test_labels_keep_their_values():
    labels = RNG.choice([0, 7, 200], (20, 20)).astype(np.uint8)
    read = resample_affine(labels, 1.7 * np.eye(2), (0.3, 0.2), (10, 10), labels=True)
    assert read.dtype == np.uint8
    assert set(np.unique(read)) <= {0, 7, 200}
