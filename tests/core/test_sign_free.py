"""The loss that cannot tell which source is called the first."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.core.losses.sign_free import sign_free_loss


@pytest.fixture
def images() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn((5, 3, 6, 7), generator=generator, dtype=torch.float64) for _ in range(2))


def test_swapping_the_sources_changes_nothing(images):
    estimate, truth = images
    torch.testing.assert_close(sign_free_loss(estimate, truth), sign_free_loss(-estimate, truth))
    torch.testing.assert_close(sign_free_loss(estimate, truth), sign_free_loss(estimate, -truth))


def test_each_picture_has_its_own_sign(images):
    _, truth = images
    signs = torch.tensor([1.0, -1, 1, -1, -1]).reshape(-1, 1, 1, 1)
    assert sign_free_loss(signs * truth, truth).max() == 0


def test_equals_the_formula(images):
    estimate, truth = images
    e, t = estimate[2].flatten(), truth[2].flatten()
    expected = min(((e - t) ** 2).mean(), ((e + t) ** 2).mean()) / ((t**2).mean() + 0.01)
    assert sign_free_loss(estimate, truth)[2] == pytest.approx(float(expected), rel=1e-12)


def test_the_mixture_as_answer_costs_about_one(images):
    _, truth = images
    loss = sign_free_loss(torch.zeros_like(truth), truth)
    energy = truth.square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss, energy / (energy + 0.01))


def test_gradient(images):
    estimate, truth = (image[:2, :, :2, :2].clone() for image in images)
    estimate.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda e: sign_free_loss(e, truth), estimate)
