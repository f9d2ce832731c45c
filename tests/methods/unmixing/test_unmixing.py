from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.data.photographs import photograph
from napari_bitsnet.methods.unmixing.weights import (
    estimating_weights,
    gradient_noise_gain,
    gradients,
    noise_variance,
    rounding_step,
    window_moments,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def photographs(k: int, size: int = 96) -> torch.Tensor:
    """(K, 3, H, W) in [0, 1]."""
    images = np.stack([photograph(seed, size) for seed in range(k)])
    return torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2).contiguous()


def mixed(weights: list[list[float]], images: torch.Tensor) -> torch.Tensor:
    return torch.einsum("mk,kchw->mchw", torch.tensor(weights), images)


def directions(weights: np.ndarray) -> np.ndarray:
    weights = np.asarray(weights, dtype=float)
    return weights / np.linalg.norm(weights, axis=0)


# --- The pieces ----------------------------------------------------------------------------------------


def test_gradients_are_forward_differences():
    ramp = torch.arange(5.0)[:, None] + 10 * torch.arange(4.0)
    steps = gradients(ramp[None, None])
    assert steps.shape == (1, 2, 4, 3)
    assert (steps[0, 0] == 1).all()
    assert (steps[0, 1] == 10).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.7, 2.0])
def test_noise_gain_is_that_of_noise(smoothing):
    steps = gradients(noise(1, 1, 400, 400), smoothing=smoothing)
    assert float(steps.var()) == pytest.approx(gradient_noise_gain(smoothing), rel=0.05)


def test_window_moments_by_hand():
    fields = torch.stack([torch.full((1, 4, 6), 2.0), torch.full((1, 4, 6), -3.0)])
    fields[1, :, :, :2] = 0.0
    moments = window_moments(fields, 4)
    assert moments.shape == (2, 2, 2)  # windows start at columns 0 and 2
    np.testing.assert_allclose(moments[0], [[4, -3], [-3, 4.5]])
    np.testing.assert_allclose(moments[1], [[4, -6], [-6, 9]])


def test_window_moments_leave_out_missing_pixels():
    fields = torch.ones(1, 1, 8, 8)
    fields[..., 0, 0] = 100.0
    valid = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    valid[..., 0, 0] = False
    assert window_moments(fields, 4).max() > 1
    np.testing.assert_allclose(window_moments(fields, 4, valid), 1)


def test_window_moments_keep_all_windows_if_none_is_whole():
    valid = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    assert window_moments(torch.ones(1, 1, 8, 8), 4, valid).shape == (9, 1, 1)


# --- Noise ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.01, 0.05])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_is_found_under_photographs(sigma, channels):
    images = mixed([[0.7, 0.3], [0.4, 0.6]], photographs(2, 128)[:, :channels])
    found = noise_variance(images + sigma * noise(*images.shape)) ** 0.5
    assert found == pytest.approx(sigma, rel=0.15)


def test_texture_that_mixtures_share_is_no_noise():
    texture = 0.1 * noise(1, 1, 96, 96)
    images = torch.cat([0.3 * texture, texture]) + 0.01 * noise(2, 1, 96, 96, seed=1)
    assert noise_variance(images) ** 0.5 == pytest.approx(0.01, rel=0.15)


def test_flat_images_have_rounding_noise_at_least():
    levels = torch.arange(256.0).repeat_interleave(16).reshape(1, 1, 64, 64) / 255
    assert noise_variance(levels) == pytest.approx(1 / 255**2 / 12, rel=1e-3)


def test_rounding_step():
    values = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert rounding_step((values * 255).round() / 255) == pytest.approx(1 / 255, rel=1e-3)
    assert rounding_step(values) == 0
    assert rounding_step((values > 0.5).float()) == 0  # two flat levels say nothing about rounding


# --- Weights -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights",
    [[[0.72, 0.28], [0.45, 0.55]], [[0.6, 0.4], [0.5, 0.5]], [[0.9, 0.2], [0.3, 0.7], [0.5, 0.5]]],
    ids=["easy", "hard", "three mixtures"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_finds_the_weights_of_photographs(weights, channels):
    observations = mixed(weights, photographs(2)[:, :channels])
    np.testing.assert_allclose(exhaust(estimating_weights(observations, 2)), directions(weights), atol=0.02)


def test_finds_the_weights_of_three_sources():
    weights = [[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6], [0.3, 0.3, 0.4]]
    found = exhaust(estimating_weights(mixed(weights, photographs(3)), 3))
    np.testing.assert_allclose(found, directions(weights), atol=0.04)


def test_finds_the_weights_of_flat_shapes_without_texture():
    images = torch.zeros(2, 1, 48, 48)
    images[0, :, 8:30, 5:20] = 1
    images[1, :, 20:40, 12:44] = 1
    weights = [[0.7, 0.3], [0.2, 0.8]]
    np.testing.assert_allclose(
        exhaust(estimating_weights(mixed(weights, images), 2)), directions(weights), atol=0.02
    )


@pytest.mark.parametrize("sigma", [0.01, 0.04])
def test_noise_is_taken_off(sigma):
    weights = [[0.72, 0.28], [0.45, 0.55]]
    observations = mixed(weights, photographs(2, 128))
    found = exhaust(estimating_weights(observations + sigma * noise(*observations.shape), 2))
    np.testing.assert_allclose(found, directions(weights), atol=0.04)


def test_the_order_of_mixtures_and_their_brightness_do_not_count():
    observations = mixed([[0.72, 0.28], [0.45, 0.55]], photographs(2))
    found = exhaust(estimating_weights(observations, 2))
    swapped = exhaust(estimating_weights(observations.flip(0), 2))
    np.testing.assert_allclose(swapped.T[::-1], found.T[:, ::-1], atol=1e-6)
    brighter = exhaust(estimating_weights(observations + torch.tensor([0.1, -0.3]).view(2, 1, 1, 1), 2))
    np.testing.assert_allclose(brighter, found, atol=1e-4)


def test_missing_pixels_do_not_count():
    observations = mixed([[0.72, 0.28], [0.45, 0.55]], photographs(2))
    valid = torch.ones(1, 1, 96, 96, dtype=torch.bool)
    valid[..., 20:60, 30:50] = False
    spoilt = torch.where(valid, observations, noise(2, 3, 96, 96))
    found = exhaust(estimating_weights(spoilt, 2, valid=valid))
    np.testing.assert_allclose(found, directions([[0.72, 0.28], [0.45, 0.55]]), atol=0.03)


def test_the_same_bits_again():
    observations = mixed([[0.6, 0.4], [0.5, 0.5]], photographs(2, 64))
    assert np.array_equal(
        exhaust(estimating_weights(observations, 2)), exhaust(estimating_weights(observations, 2))
    )


def test_pure_noise_gives_finite_weights():
    assert np.isfinite(exhaust(estimating_weights(noise(2, 1, 32, 32), 2))).all()
