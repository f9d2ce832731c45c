"""Sources carried from frame to frame: motions found, truth kept, fine errors averaged away, cuts noticed."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_bitsnet.methods.feedforward.motion_compensation import carry, find_motions

SIZE = 48


def texture(seed: int) -> np.ndarray:
    """(3, 80, 80) in [0, .5]."""
    image = gaussian_filter(np.random.default_rng(seed).standard_normal((3, 80, 80)), (0, 2, 2))
    return 0.5 * (image - image.min()) / np.ptp(image)


def window(image: np.ndarray, motion: tuple[float, float]) -> np.ndarray:
    """What lies in the middle once the image has moved."""
    return shift(image, (0, *motion), order=3)[:, 16 : 16 + SIZE, 16 : 16 + SIZE]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "motions", [((2.0, -3.0), (-1.0, 4.0)), ((0.4, 2.6), (-5.5, 0.0)), ((0.0, 0.0), (7.0, 7.0))]
)
def test_two_motions_are_found_to_a_fraction_of_a_pixel(seed, motions):
    images = [texture(2 * seed), texture(2 * seed + 1)]
    before = np.stack([window(image, (0, 0)) for image in images])
    after = sum(window(image, motion) for image, motion in zip(images, motions, strict=True))
    assert np.abs(np.array(find_motions(before, after)) - motions).max() < 0.12


def test_true_sources_stay_true_and_are_trusted_but_where_something_came_in():
    images, motions = [texture(0), texture(1)], ((2.0, -3.0), (-1.0, 0.0))
    before = np.stack([window(image, (0, 0)) for image in images])
    true = np.stack([window(image, motion) for image, motion in zip(images, motions, strict=True)])
    carried = carry(before, true.sum(axis=0))
    assert carried.motions == motions
    assert carried.enough
    known = carried.trust > 0
    expected = np.zeros((SIZE, SIZE), bool)
    expected[2:-1, :-3] = True
    np.testing.assert_array_equal(known, expected)
    assert carried.trust[5:-5, 5:-5].min() > 0.99
    assert np.abs((carried.sources - true)[..., known]).max() < 1e-9
    np.testing.assert_allclose(carried.sources.sum(axis=0), true.sum(axis=0))


def test_errors_finer_than_the_relative_motion_are_averaged_away():
    images = [texture(2), texture(3)]
    wrong = 0.002 * np.sin(np.arange(SIZE) * np.pi / 2)  # period 4: relative motion by 2 is half of it
    before = np.stack([window(image, (0, 0)) for image in images]) + np.array([wrong, -wrong])[:, None, None]
    true = np.stack([window(images[0], (0, 1)), window(images[1], (0, -1))])
    carried = carry(before, true.sum(axis=0))
    assert carried.motions == ((0, 1), (0, -1))
    left = (carried.sources - true)[..., 2:-2]
    assert np.abs(left).max() < 0.1 * np.abs(wrong).max()


def test_after_a_cut_nothing_is_trusted():
    before = np.stack([window(texture(k), (0, 0)) for k in range(2)])
    assert not carry(before, window(texture(7), (0, 0)) + window(texture(8), (0, 0))).enough


def test_without_edges_or_room_nothing_moves():
    still = ((0.0, 0.0), (0.0, 0.0))
    assert find_motions(np.full((2, 1, 32, 32), 0.2), np.full((1, 32, 32), 0.4)) == still
    small = np.random.default_rng(0).random((2, 3, 8, 9))
    assert find_motions(small, small.sum(axis=0)) == still
    np.testing.assert_allclose(carry(small, small.sum(axis=0)).sources, small)
