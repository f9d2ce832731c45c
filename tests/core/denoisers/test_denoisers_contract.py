"""What every registered denoiser promises."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from napari_bitsnet.core.denoisers import DENOISERS

SIGMA = 0.05


@pytest.fixture(params=list(DENOISERS))
def denoise(request):
    if request.param == "bm3d" and importlib.util.find_spec("bm3d") is None:
        pytest.skip("needs the extra bm3d")
    return DENOISERS.get(request.param)


def noisy_step(n: int = 2, channels: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    clean = torch.full((n, channels, 32, 28), 0.3)
    clean[..., 14:] = 0.7
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    return clean, clean + SIGMA * noise


def test_every_file_registers_its_own_name():
    assert {"nlm", "tv", "bilateral", "gaussian", "bm3d"} <= set(DENOISERS.names())
    for name in DENOISERS:
        assert callable(DENOISERS.get(name))


def test_keeps_shape_type_and_device_and_stays_finite(denoise):
    _, noisy = noisy_step()
    answer = denoise(noisy, SIGMA)
    assert (answer.shape, answer.dtype, answer.device) == (noisy.shape, noisy.dtype, noisy.device)
    assert answer.isfinite().all()
    assert not denoise(noisy.clone().requires_grad_(), SIGMA).requires_grad


def test_reduces_the_error_of_a_noisy_step(denoise):
    clean, noisy = noisy_step()
    assert (denoise(noisy, SIGMA) - clean).square().mean() < 0.6 * (noisy - clean).square().mean()


def test_zero_strength_is_the_identity(denoise):
    _, noisy = noisy_step()
    assert torch.equal(denoise(noisy, 0.0), noisy)


def test_a_constant_stays(denoise):
    constant = torch.full((1, 2, 20, 24), 0.4)
    torch.testing.assert_close(denoise(constant, SIGMA), constant, atol=1e-4, rtol=0)


def test_images_and_channels_are_denoised_by_themselves(denoise):
    _, noisy = noisy_step()
    together = denoise(noisy, SIGMA)
    alone = denoise(noisy[1:, 2:], SIGMA)
    torch.testing.assert_close(together[1:, 2:], alone, atol=1e-6, rtol=0)


def test_the_input_is_left_alone(denoise):
    _, noisy = noisy_step()
    before = noisy.clone()
    denoise(noisy, SIGMA)
    assert torch.equal(noisy, before)


def test_negative_noise_is_refused(denoise):
    with pytest.raises(ValueError, match="Expected sigma >= 0"):
        denoise(noisy_step()[1], -0.1)
