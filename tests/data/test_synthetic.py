"""Mixtures with known sources: sums, units, seeds."""

import numpy as np
import pytest

from napari_bitsnet.data.photographs import BUNDLED, BUNDLED_GREY, bundled_photograph, fit, photograph
from napari_bitsnet.data.synthetic import (
    head_volume,
    mix,
    periodic_textures,
    photograph_mixture,
    photograph_mixtures,
    slice_mixture,
    texture_mixture,
)


@pytest.mark.parametrize("build", [photograph_mixture, photograph_mixtures, texture_mixture, slice_mixture])
def test_mixtures_are_weighted_sums_and_frozen_by_the_seed(build):
    mixed, again = build(2, 64), build(2, 64)
    np.testing.assert_array_equal(mixed.mixtures, again.mixtures)
    assert np.issubdtype(mixed.mixtures.dtype, np.unsignedinteger)
    total = np.tensordot(mixed.weights, mixed.sources, axes=1)
    assert np.abs(total - mixed.mixtures).max() <= 0.51
    np.testing.assert_allclose(mixed.shares.sum(0), total[0], rtol=1e-5, atol=1e-2)
    assert np.corrcoef(mixed.sources[0].ravel(), mixed.sources[1].ravel())[0, 1] < 0.9


def test_depth_and_noise():
    images = [photograph(0, 48), photograph(1, 48)]
    exact = mix(images, [0.5, 0.5], bits=0)
    assert exact.mixtures.dtype == np.float32
    noisy = mix(images, [0.5, 0.5], bits=0, noise=0.02, seed=1)
    assert abs(np.std(noisy.mixtures - exact.mixtures) - 0.02) < 0.002


def test_photographs_fill_the_range_and_differ():
    first, second = photograph(0, (48, 64)), photograph(1, (48, 64))
    assert first.shape == (48, 64, 3)
    assert first.min() == 0
    assert first.max() == 1
    assert np.abs(first - second).mean() > 0.1


@pytest.mark.parametrize("name", BUNDLED + BUNDLED_GREY)
def test_bundled_photographs_need_no_download(name):
    image = bundled_photograph(name, (32, 40))
    assert image.shape == ((32, 40) if name in BUNDLED_GREY else (32, 40, 3))
    assert image.std() > 0.02


def test_fit_crops_centrally():
    ramp = np.tile(np.linspace(0, 1, 80), (40, 1))
    np.testing.assert_allclose(fit(ramp, 40), ramp[:, 20:60], atol=1e-6)


def test_textures_repeat():
    for texture in periodic_textures(0, 128):
        grey = texture.mean(-1) - texture.mean()
        power = np.abs(np.fft.fft2(grey)) ** 2
        assert np.sort(power.ravel())[-60:].sum() > 0.6 * power.sum()


def test_head_slices_change_along_the_stack():
    volume = head_volume(0, 6, 64)
    assert volume.shape == (6, 64, 64)
    near, far = np.abs(volume[2] - volume[3]).mean(), np.abs(volume[0] - volume[3]).mean()
    assert 0 < near < far


def test_errors():
    with pytest.raises(ValueError, match="one weight for each of 2 images, got 3"):
        mix(np.zeros((2, 4, 4)), [0.2, 0.3, 0.5])
    with pytest.raises(ValueError, match="Expected 16 or 8 bits, or 0 for float32, got 10"):
        mix(np.zeros((2, 4, 4)), [0.5, 0.5], bits=10)
    with pytest.raises(ValueError, match=r"Unknown photograph 'mona'. Known: astronaut"):
        bundled_photograph("mona")
