from __future__ import annotations

import pytest
import torch

from napari_bitsnet.core.mixing import Linear, Weighted, optical_density, transmitted


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_shares_add_up():
    sources = images(3, 2, 4, 5)
    mixed = Linear()(sources)
    assert mixed.shape == (1, 2, 4, 5)
    torch.testing.assert_close(mixed[0], sources[0] + sources[1] + sources[2])


def test_whole_images_are_weighted():
    sources = images(2, 3, 4, 5)
    weights = torch.tensor([[0.7, 0.3], [0.2, 0.8], [0.0, 1.0]])
    mixed = Weighted(weights, "given")(sources)
    assert mixed.shape == (3, 3, 4, 5)
    torch.testing.assert_close(mixed[0], 0.7 * sources[0] + 0.3 * sources[1], rtol=1e-6, atol=0)
    torch.testing.assert_close(mixed[2], sources[1])


def test_unknown_weights_cannot_mix():
    with pytest.raises(ValueError, match="Expected known weights to mix with, got none: estimate them first"):
        Weighted()(images(2, 1, 4, 4))


def test_mixing_is_linear_and_passes_gradients():
    weights = images(3, 2, seed=1)
    for mixing in (Linear(), Weighted(weights)):
        a, b = images(2, 1, 3, 3), images(2, 1, 3, 3, seed=2)
        torch.testing.assert_close(mixing(2 * a - b), 2 * mixing(a) - mixing(b))
        assert torch.autograd.gradcheck(mixing, (a.requires_grad_(),))


@pytest.mark.parametrize("i0", [1.0, 60_000.0, torch.tensor([3.0, 5.0], dtype=torch.float64)])
def test_density_and_transmission_undo_each_other(i0):
    intensity = images(4, 2) * 100 + 0.1
    torch.testing.assert_close(transmitted(optical_density(intensity, i0), i0), intensity)


def test_densities_add_where_intensities_multiply():
    i0 = 200.0
    first, second = 0.5 * i0 * torch.ones(2), 0.25 * i0 * torch.ones(2)
    total = optical_density(first, i0) + optical_density(second, i0)
    torch.testing.assert_close(transmitted(total, i0), 0.125 * i0 * torch.ones(2))
    torch.testing.assert_close(optical_density(torch.tensor([i0]), i0), torch.zeros(1))
