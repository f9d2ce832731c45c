from __future__ import annotations

import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_bitsnet.core.denoisers.gaussian import gaussian


def image(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("width", [0.4, 1.0, 3.3])
def test_equals_scipy_borders_included(width):
    noisy = image(2, 3, 9, 17)
    expected = gaussian_filter(noisy.numpy(), width, axes=(-2, -1), mode="reflect")
    assert abs(gaussian(noisy, 0.1, width=width).numpy() - expected).max() < 1e-12


def test_the_default_width_grows_with_the_noise():
    noisy = image(1, 1, 32, 32)
    roughness = [gaussian(noisy, sigma).std() for sigma in (0.01, 0.05, 0.2)]
    assert noisy.std() > roughness[0] > roughness[1] > roughness[2]


def test_the_mean_stays():
    noisy = image(1, 1, 16, 16)
    torch.testing.assert_close(gaussian(noisy, 0.1).mean(), noisy.mean())


def test_refuses_a_width_of_zero():
    with pytest.raises(ValueError, match="Expected a width > 0 pixels, got 0"):
        gaussian(image(1, 1, 8, 8), 0.1, width=0.0)
