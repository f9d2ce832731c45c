from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_nl_means

from napari_bitsnet.core.denoisers import nlm as nlm_module
from napari_bitsnet.core.denoisers.nlm import nlm


def noisy_waves(height: int, width: int, sigma: float, seed: int = 0) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    clean = 0.5 + 0.3 * np.sin(x / 5 + np.sin(y / 7)) * np.cos(y / 9) + 0.1 * (x > width // 2)
    return clean + sigma * np.random.default_rng(seed).standard_normal(clean.shape)


def by_skimage(image: np.ndarray, sigma: float, **options) -> np.ndarray:
    options = {"h": 0.6 * sigma, "patch_size": 5, "patch_distance": 6} | options
    return denoise_nl_means(image, sigma=sigma, fast_mode=True, **options)


def as_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32))[None, None]


@pytest.mark.parametrize("sigma", [3 / 255, 0.05])
@pytest.mark.parametrize(
    "options",
    [{}, {"patch_size": 7, "patch_distance": 3}, {"patch_size": 4, "patch_distance": 2}, {"h": 0.05}],
    ids=["released", "larger patch", "even patch", "other h"],
)
def test_equals_scikit_image_to_a_tenth_of_h(sigma, options):
    image, h = noisy_waves(40, 52, sigma), options.get("h", 0.6 * sigma)
    expected = by_skimage(image, sigma, **options)
    difference = np.abs(nlm(as_tensor(image), sigma, **options)[0, 0].numpy() - expected)
    assert np.abs(expected - image).max() > sigma  # there is something to get wrong
    assert difference.max() < 0.1 * h
    assert difference.mean() < 0.01 * h
    border = np.ones(image.shape, dtype=bool)
    border[4:-4, 4:-4] = False
    assert difference[border].mean() < 0.01 * h


def test_equals_scikit_image_on_images_smaller_than_the_search():
    image = noisy_waves(5, 9, 0.05)
    difference = np.abs(nlm(as_tensor(image), 0.05)[0, 0].numpy() - by_skimage(image, 0.05))
    assert difference.max() < 0.1 * 0.6 * 0.05


def test_blocks_of_planes_do_not_show(monkeypatch):
    images = torch.cat([as_tensor(noisy_waves(24, 24, 0.05, seed)) for seed in range(5)])
    at_once = nlm(images, 0.05)
    monkeypatch.setattr(nlm_module, "BLOCK", 2 * 24 * 24)
    torch.testing.assert_close(nlm(images, 0.05), at_once, atol=1e-6, rtol=0)


@pytest.mark.parametrize("options", [{"patch_size": 2}, {"patch_distance": 0}])
def test_refuses_settings_out_of_range(options):
    with pytest.raises(ValueError, match="Expected sigma >= 0, patch_size >= 3 and patch_distance >= 1"):
        nlm(torch.rand(1, 1, 8, 8), 0.05, **options)


def test_refuses_a_distance_of_zero():
    with pytest.raises(ValueError, match="Expected h > 0"):
        nlm(torch.rand(1, 1, 8, 8), 0.05, h=0.0)
