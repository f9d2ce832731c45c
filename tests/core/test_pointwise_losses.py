"""Reconstruction and hints."""

import itertools

import pytest
import torch

from napari_bitsnet.core.losses.hint import hint_loss
from napari_bitsnet.core.losses.reconstruction import l1_loss, l2_loss, masked_mean


def test_reconstruction_in_closed_form() -> None:
    estimate = torch.tensor([[[[0.1, 0.5]], [[0.3, 0.9]]]])
    observed = torch.tensor([[[[0.2, 0.2]], [[0.3, 0.5]]]])
    assert float(l1_loss(estimate, observed)) == pytest.approx((0.1 + 0.3 + 0.0 + 0.4) / 4)
    assert float(l2_loss(estimate, observed)) == pytest.approx((0.01 + 0.09 + 0.0 + 0.16) / 4)
    valid = torch.tensor([[[[True, False]]]])
    assert float(l1_loss(estimate, observed, valid)) == pytest.approx((0.1 + 0.0) / 2)


def test_masked_mean_counts_every_image_and_channel() -> None:
    values = torch.ones(3, 2, 4, 4)
    valid = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    assert float(masked_mean(values, valid)) == 0
    valid[..., 1, :3] = True
    assert float(masked_mean(values, valid)) == pytest.approx(1)


def test_hint_silences_the_other_source() -> None:
    sources = torch.zeros(2, 1, 3, 4)
    sources[0, 0, 1, 2:] = 0.5  # an edge between columns 1 and 2 of row 1 in source 1
    hints = torch.zeros(2, 1, 3, 4)
    assert float(hint_loss(sources, hints)) == 0
    hints[1, 0, 1, 1] = 1  # that pixel belongs to source 2
    assert float(hint_loss(sources, hints)) == pytest.approx(0.5)
    assert float(hint_loss(sources, hints.flip(0))) == 0  # source 2 has no edges to lose


def test_hint_does_not_depend_on_the_order_of_sources() -> None:
    rng = torch.Generator().manual_seed(0)
    sources, hints = (
        torch.rand(3, 2, 6, 6, generator=rng),
        (torch.rand(3, 1, 6, 6, generator=rng) > 0.7).float(),
    )
    losses = [float(hint_loss(sources[list(p)], hints[list(p)])) for p in itertools.permutations(range(3))]
    assert losses[0] > 0
    assert losses == pytest.approx([losses[0]] * 6, rel=1e-5)


def test_pixels_named_for_both_penalise_none() -> None:
    sources = torch.rand(2, 1, 5, 5)
    assert float(hint_loss(sources, torch.ones(2, 1, 5, 5))) == 0


def test_hint_gradient() -> None:
    sources = torch.rand(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    hints = torch.zeros(2, 1, 4, 4)
    hints[0, :, 1:3, 1:3] = 1
    assert torch.autograd.gradcheck(lambda s: hint_loss(s, hints), (sources,))
