from __future__ import annotations

import pytest
import torch

from napari_bitsnet.core.mixing import Linear, Weighted


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
