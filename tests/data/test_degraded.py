"""Known damage, and the samples made of it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.data import samples
from napari_bitsnet.data.degraded import add_noise, lay_haze, missing_at_random, scratches
from napari_bitsnet.data.samples import SAMPLE_KEY


def test_noise_has_its_standard_deviation_and_its_seed():
    image = np.zeros((40, 50, 3))
    assert add_noise(image, 0.2).std() == pytest.approx(0.2, rel=0.05)
    assert np.array_equal(add_noise(image, 0.2, seed=1), add_noise(image, 0.2, seed=1))
    assert not np.array_equal(add_noise(image, 0.2, seed=1), add_noise(image, 0.2, seed=2))


def test_masks_leave_out_about_as_much_as_asked_for():
    assert missing_at_random((60, 70), 0.8).mean() == pytest.approx(0.8, abs=0.03)
    assert 0.01 < scratches((100, 120)).mean() < 0.3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_haze_is_what_it_says(seed: int):
    scene = np.random.default_rng(0).random((40, 50, 3))
    made = lay_haze(scene, seed=seed)
    t = made.transmission[..., None]
    np.testing.assert_allclose(made.image, t * scene + (1 - t) * np.array(made.airlight))
    assert 0.1 < made.transmission.min() < made.transmission.max() <= 0.95
    assert made.transmission[:5].mean() < made.transmission[-5:].mean()


@pytest.mark.parametrize(
    ("name", "task"), [("noise", "denoise"), ("missing_pixels", "inpaint"), ("haze", "dehaze")]
)
def test_samples_show_the_damage_and_hide_the_truth(name: str, task: str):
    layers = getattr(samples, name)()
    roles = [look["metadata"][SAMPLE_KEY]["role"] for _, look, _ in layers]
    assert roles[:2] == ["mixture", "truth"]
    assert {look["metadata"][SAMPLE_KEY]["task"] for _, look, _ in layers} == {task}
    assert not layers[1][1]["visible"]
    observed, truth = layers[0][0], layers[1][0]
    assert observed.dtype == truth.dtype == np.uint8
    changed = (observed != truth).any(axis=-1)
    if name == "missing_pixels":
        mask, look, kind = layers[2]
        assert kind == "labels"
        assert look["metadata"][SAMPLE_KEY]["role"] == "mask"
        assert not changed[mask == 0].any()
        assert not observed[mask > 0].any()
    else:
        assert changed.mean() > 0.9
