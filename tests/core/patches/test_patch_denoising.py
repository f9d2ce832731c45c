"""Noise: how much there is, where it hides, and groups of equal patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.patches.denoising import denoising_patches, estimate_sigma
from napari_bitsnet.core.patches.groups import reference_rows, similar_patches
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.data.photographs import photograph


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32))[None, None]


def test_a_reference_is_in_its_group_however_many_patches_equal_it():
    flat = torch.zeros(1, 1, 40, 40)
    rows, columns = reference_rows((40, 40), 5, 3)
    for reference, group in similar_patches(flat, rows, columns, side=5, reach=10, count=20):
        assert bool((group == reference[:, None]).any(dim=1).all())
        assert int(group.min()) >= 0
        assert int(group.max()) < 36 * 36


@pytest.mark.parametrize("sigma", [1e-4, 0.01, 0.2])
def test_groups_without_any_spread_are_solved(sigma: float):
    image = tensor((np.indices((32, 32))[1] // 4 % 2) * 1.0)
    once = exhaust(denoising_patches(image, sigma))
    twice = exhaust(denoising_patches(image, sigma, once))
    assert bool(torch.isfinite(twice).all())
    if sigma < 0.1:
        torch.testing.assert_close(twice, image, rtol=0, atol=0.01)


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1])
def test_the_noise_of_photographs_is_estimated(sigma: float):
    clean = photograph(3, 96).mean(axis=-1)
    noisy = clean + sigma * np.random.default_rng(0).standard_normal(clean.shape)
    assert 0.8 * sigma < estimate_sigma(tensor(noisy)) < 1.5 * sigma


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_frame_of_one_value_hides_no_noise(value: float):
    clean = photograph(3, 64).mean(axis=-1)
    noisy = np.clip(clean + 0.05 * np.random.default_rng(0).standard_normal(clean.shape), 0.01, 0.99)
    framed = np.pad(noisy, 24, constant_values=value)
    assert 0.035 < estimate_sigma(tensor(framed)) < 0.075


def test_a_drawing_has_no_noise():
    y, x = np.indices((64, 64))
    levels = np.round(3 * (np.sin(x / 9) + np.cos(y / 7) + 2) / 4) / 3
    disc = ((x - 30) ** 2 + (y - 33) ** 2 < 300) * 1.0
    assert estimate_sigma(tensor(levels)) < 1e-3
    assert estimate_sigma(tensor(disc)) < 1e-3
