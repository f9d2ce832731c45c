"""Simulated reflections and stained cells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from docs.pictures.stained import fibres, nuclei
from napari_bitsnet.data import samples
from napari_bitsnet.data.reflected import EXCESS, lay_reflection
from napari_bitsnet.data.samples import SAMPLE_KEY


@pytest.mark.parametrize("light", [0.3, 1.0])
def test_a_reflection_adds_light_and_is_darkened_where_that_would_be_white(light):
    rng = np.random.default_rng(0)
    behind, before = light * rng.random((2, 40, 30, 3)), light * rng.random((2, 40, 30, 3))
    made = lay_reflection(behind[0], before[0], sigma=2.0)
    np.testing.assert_array_equal(made.transmission, behind[0])
    np.testing.assert_allclose(made.image, np.clip(made.transmission + made.reflection, 0, 1))
    soft = np.stack([gaussian_filter(before[0][..., c], 2.0, mode="constant") for c in range(3)], axis=-1)
    above = (behind[0] + soft)[behind[0] + soft > 1]
    assert bool(above.size) == (light == 1.0)
    dark = EXCESS * (above.mean() - 1) if above.size else 0
    np.testing.assert_allclose(made.reflection, np.clip(soft - dark, 0, 1), atol=1e-12)


def test_the_sample_is_the_sum_of_its_truths_up_to_white():
    (image, look, _), (transmission, *_), (reflection, *_) = samples.reflection()
    assert look["metadata"][SAMPLE_KEY] == {"task": "reflection", "role": "mixture"}
    total = transmission.astype(int) + reflection
    assert np.abs(image - np.minimum(total, 255)).max() <= 1
    assert reflection.mean() > 20


@pytest.mark.parametrize("draw", [nuclei, fibres])
def test_stained_cells_depend_on_the_seed_and_have_contrast(draw):
    image = draw((96, 80), seed=3)
    assert image.shape == (96, 80)
    assert 0 <= image.min() < 0.1
    assert image.max() == 1
    np.testing.assert_array_equal(image, draw((96, 80), seed=3))
    assert np.abs(image - draw((96, 80), seed=4)).mean() > 0.02


def test_fibres_are_finer_than_nuclei():
    def coarse(image):
        return gaussian_filter(image, 3).std() / image.std()

    assert coarse(nuclei((128, 128))) > 1.3 * coarse(fibres((128, 128)))
