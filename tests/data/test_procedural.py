"""Pictures drawn by rules."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.data import procedural

KINDS = ("dead_leaves", "clouds", "texture", "lettering", "shapes")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_draws_pictures_with_contrast(kind: str):
    for seed in range(8):
        image = np.clip(getattr(procedural, kind)(32, np.random.default_rng(seed)), 0, 1)
        assert image.shape == (32, 32, 3)
        assert image.std() > 0.01


def test_the_seed_decides():
    first, again, other = (procedural.procedural_images(10, 24, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)
    assert len(first) == 10
    assert first[7].shape == (24, 24, 3)


def test_clouds_have_a_falling_spectrum():
    """Amplitudes follow 1/f^a with a from 0.8 to 2."""
    slopes = []
    for seed in range(12):
        image = procedural.clouds(64, np.random.default_rng(seed)).mean(axis=-1)
        amplitude = np.abs(np.fft.fft2(image - image.mean()))
        frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
        inside = (frequency > 0.04) & (frequency < 0.45)
        slopes.append(np.polyfit(np.log(frequency[inside]), np.log(amplitude[inside]), 1)[0])
    assert min(slopes) > -2.15
    assert max(slopes) < -0.65
    assert np.ptp(slopes) > 0.3
