"""The loss that cannot tell which source is called the first."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.core.losses.sign_free import sign_free_loss


@pytest.fixture
def images() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn((5, 3, 6, 7), generator=generator, dtype=torch.float64) for _ in range(2))


def _spread(image: torch.Tensor) -> torch.Tensor:
    return image - image.mean(dim=(2, 3), keepdim=True)


def test_swapping_the_sources_changes_nothing(images):
    estimate, truth = images
    torch.testing.assert_close(sign_free_loss(estimate, truth), sign_free_loss(-estimate, truth))
    torch.testing.assert_close(sign_free_loss(estimate, truth), sign_free_loss(estimate, -truth))


def test_each_picture_has_its_own_sign(images):
    _, truth = images
    signs = torch.tensor([1.0, -1, 1, -1, -1]).reshape(-1, 1, 1, 1)
    variance = _spread(truth).square().mean(dim=(1, 2, 3))
    least = torch.log((0.01 * variance + 0.0005) / (1.01 * variance + 0.0005))
    torch.testing.assert_close(sign_free_loss(signs * truth, truth), least)


def test_a_known_sign_counts(images):
    _, truth = images
    known = torch.tensor([True, False, True, False, True])
    loss, free = sign_free_loss(-truth, truth, known), sign_free_loss(-truth, truth)
    assert (loss[known] > free[known] + 4).all()
    assert torch.equal(loss[~known], free[~known])


def test_equals_the_formula(images):
    estimate, truth = images
    e, t = estimate[2], truth[2]
    mean_e, mean_t = (x.mean(dim=(1, 2), keepdim=True) for x in (e, t))
    errors = [
        ((e - mean_e - s * (t - mean_t)) ** 2).mean() + 0.1 * ((mean_e - s * mean_t) ** 2).mean()
        for s in (1, -1)
    ]
    variance = ((t - mean_t) ** 2).mean()
    expected = torch.log((min(errors) + 0.01 * variance + 0.0005) / (1.01 * variance + 0.0005))
    assert sign_free_loss(estimate, truth)[2] == pytest.approx(float(expected), rel=1e-12)


def test_no_answer_but_the_right_means_costs_nothing(images):
    _, truth = images
    loss = sign_free_loss(truth.mean(dim=(2, 3), keepdim=True).expand_as(truth), truth)
    torch.testing.assert_close(loss, torch.zeros(5, dtype=torch.float64))


def test_half_of_the_error_energy_is_three_decibels(images):
    """Up to the loss's floor, -4.34 times it is the gain in decibels."""
    _, truth = images
    spread = _spread(truth)
    loss = sign_free_loss(spread * (1 - 0.5**0.5), spread)
    assert torch.allclose(
        -10 / torch.tensor(10.0).log() * loss, torch.tensor(3.01, dtype=torch.float64), atol=0.06
    )


def test_gradient(images):
    estimate, truth = (image[:2, :, :2, :2].clone() for image in images)
    estimate.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda e: sign_free_loss(e, truth), estimate)
