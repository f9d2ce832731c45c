"""Weights made small for shipping."""

from __future__ import annotations

import torch

from napari_bitsnet.core.networks.weights import SCALE, compress, expand


def test_large_convolutions_become_eight_bit_and_come_back_within_half_a_step():
    generator = torch.Generator().manual_seed(0)
    large = torch.randn(64, 32, 5, 5, generator=generator) * torch.logspace(-3, 1, 64).reshape(-1, 1, 1, 1)
    tensors = {
        "large": large,
        "small": torch.randn(4, 3, 3, 3, generator=generator),
        "bias": torch.randn(90_000),
    }
    small = compress(tensors)
    assert small["large"].dtype == torch.int8
    assert small["small"].dtype == small["bias"].dtype == torch.float16
    back = expand(small)
    assert set(back) == set(tensors)
    step = small["large" + SCALE].reshape(-1, 1, 1, 1)
    assert ((back["large"] - large).abs() <= 0.501 * step).all()
    torch.testing.assert_close(back["small"], tensors["small"], rtol=1e-3, atol=1e-3)
