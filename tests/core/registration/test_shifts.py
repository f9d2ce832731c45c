"""Shifts: found between mixtures of different weights, undone, and left alone where nothing is clear."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as move

from napari_bitsnet.core.registration.shifts import (
    _gradients,
    find_shift,
    shift_probability,
    undo_shift,
    unseen_border,
)
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


def channels(seed: int, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Two channels of one field of cells: nuclei, and what lies around each of them, more to one side than to
    the other."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size))
    nuclei, around = np.zeros((size, size)), np.zeros((size, size))
    for _ in range(size * size // 600):
        cy, cx, radius = *rng.uniform(0, size, 2), rng.uniform(4, 7)
        off = rng.normal(0, 3, 2)
        nuclei += np.exp(-(((np.hypot(y - cy, x - cx)) / radius) ** 4)) * rng.uniform(0.5, 1)
        distance = np.hypot(y - cy - off[0], x - cx - off[1])
        around += np.exp(-(((distance - 1.6 * radius) / 3) ** 2)) * rng.uniform(0.5, 1)
    return nuclei, around


def distorted(kind: str, image: np.ndarray, seed: int) -> np.ndarray:
    if kind == "noisy":
        return image + 0.05 * np.random.default_rng(seed).standard_normal(image.shape)
    if kind == "blurred":
        return gaussian_filter(image, 1.5)
    if kind == "clipped":
        return np.minimum(image, np.percentile(image, 85))
    return 40 * image + 7 if kind == "other exposure" else image


@pytest.mark.parametrize("seed", [1, 2, 4])
@pytest.mark.parametrize("kind", ["as it is", "noisy", "blurred", "clipped", "other exposure"])
def test_channels_that_share_some_structure_are_left_alone(kind: str, seed: int):
    nuclei, around = channels(seed)
    crosstalk = distorted(kind, around + 0.4 * nuclei, seed)
    assert find_shift(crosstalk, nuclei) == (0.0, 0.0)
    assert find_shift(nuclei, crosstalk) == (0.0, 0.0)


def test_fields_of_cells_are_hardly_ever_moved():
    fields = [channels(seed) for seed in range(12)]
    assert sum(find_shift(around + 0.4 * nuclei, nuclei) != (0.0, 0.0) for nuclei, around in fields) <= 1


@pytest.mark.parametrize("kind", ["noisy", "blurred", "clipped", "other exposure"])
def test_mixtures_that_lie_right_are_left_alone_whatever_else_differs(mixtures, kind: str):
    assert find_shift(distorted(kind, mixtures[1], 1), distorted("noisy", mixtures[0], 2)) == (0.0, 0.0)


@pytest.mark.parametrize("shift", [(0.3, 0.0), (-0.25, 0.3), (1.0, 0.5), (3.0, -2.0)])
@pytest.mark.parametrize("kind", ["noisy", "clipped", "other exposure"])
def test_a_shift_is_found_whatever_else_differs(mixtures, kind: str, shift):
    moved = move(mixtures[1], (*shift, 0), order=5, mode="reflect")
    found = find_shift(distorted(kind, moved, 1), distorted("noisy", mixtures[0], 2))
    np.testing.assert_allclose(found, shift, atol=0.15)


def test_the_probability_holds_its_level_where_nothing_moved():
    rng = np.random.default_rng(0)
    levels = []
    for _ in range(60):
        common, one, other = gaussian_filter(rng.standard_normal((3, 48, 48)), (0, 1.5, 1.5))
        levels.append(shift_probability(_gradients(common + one), _gradients(common + other)))
    assert np.mean(np.array(levels) < 0.05) < 0.15


@pytest.mark.parametrize("scale", [1e-200, 1e-25, 1e25, 1e100])
def test_units_do_not_matter(mixtures, scale: float):
    moved = move(mixtures[1], (1.5, -2.0, 0), order=5, mode="reflect")
    np.testing.assert_allclose(find_shift(scale * moved, mixtures[0]), (1.5, -2.0), atol=0.1)
