"""Losses (3) to (7) of YTMT."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from napari_bitsnet.training.protocol import TRAINERS
from napari_bitsnet.training.ytmt.critic import Critic, adversarial_loss
from napari_bitsnet.training.ytmt.losses import LossWeights, exclusion, relative_error, separation_loss

NONE = {"gradient": 0, "total": 0, "perceptual": 0, "exclusion": 0}


@pytest.fixture
def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Estimates and truths of two images (3, 2, 3, 16, 16)."""
    return torch.rand(2, 3, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).unbind(0)


def test_each_term_is_that_of_the_paper(images):
    e, t = images
    error = (e - t).square()
    pixels = separation_loss(e, t, LossWeights((0.3, 0.9), **NONE))
    torch.testing.assert_close(pixels, 0.3 * error[:, 0].mean() + 0.9 * error[:, 1].mean())
    zero = (0.0, 0.0)
    total = separation_loss(e, t, LossWeights(zero, **{**NONE, "total": 0.2}))
    torch.testing.assert_close(total, 0.2 * (e.sum(dim=1) - t.sum(dim=1)).abs().mean())
    got = separation_loss(e, t, LossWeights(zero, **{**NONE, "gradient": 0.6}))
    d = (e - t)[:, 0]
    torch.testing.assert_close(got, 0.6 * (d.diff(dim=-1).abs().mean() + d.diff(dim=-2).abs().mean()))

    def features(x: torch.Tensor) -> list[torch.Tensor]:
        return [x.mean(dim=1), 2 * F.avg_pool2d(x, 2)]

    got = separation_loss(e, t, LossWeights(zero, **{**NONE, "perceptual": 0.1}), features=features)
    expected = (e - t).mean(dim=2).abs().mean() + 2 * F.avg_pool2d((e - t).flatten(0, 1), 2).abs().mean()
    torch.testing.assert_close(got, 0.1 * expected)
    assert float(separation_loss(t, t, LossWeights(**{**NONE}))) == 0


def test_the_relative_error_counts_faint_mixtures_as_much_as_bright_ones(images):
    e, t = images
    weights = LossWeights((1.0, 1.0), **{**NONE, "gradient": 0.3})
    shares = t.mean(dim=1, keepdim=True).expand_as(t)
    assert float(relative_error(t, t, weights)) == 0
    assert float(relative_error(shares, t, weights)) == pytest.approx(1.3, abs=0.05)
    constants = torch.tensor([0.2, -0.2])[None, :, None, None, None]
    torch.testing.assert_close(relative_error(e + constants, t, weights), relative_error(e, t, weights))
    scale = torch.tensor([1.0, 0.5, 0.1])[:, None, None, None, None]
    with_faint = relative_error(scale * e, scale * t, weights)
    assert float(with_faint) == pytest.approx(float(relative_error(e, t, weights)), rel=0.1)
    by_hand = (e - t - (e - t).mean(dim=(-2, -1), keepdim=True)).abs().mean(dim=(1, 2, 3, 4))
    null = (shares - t - (shares - t).mean(dim=(-2, -1), keepdim=True)).abs().mean(dim=(1, 2, 3, 4))
    got = relative_error(e, t, LossWeights((1.0, 1.0), **NONE))
    torch.testing.assert_close(got, (by_hand / null).mean(), rtol=0.05, atol=0)


def test_the_exclusion_sees_edges_at_the_same_places_only():
    a, b = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    a[..., 8:], b[..., 24:] = 0.5, 0.5
    assert float(exclusion(a, b)) == 0
    assert float(exclusion(a, torch.zeros_like(a))) < 1e-6
    same = exclusion(a, a)
    # at the finest scale one column of differences of 31 in one of two directions, and nothing in the other
    finest = torch.tanh(torch.tensor(0.5)) ** 4 / 31
    coarser = [torch.tanh(torch.tensor(0.5)) ** 4 / n for n in (15, 7)]
    torch.testing.assert_close(same, (finest + sum(coarser)) / 6)
    torch.testing.assert_close(exclusion(a, 0.01 * a), exclusion(0.01 * a, a))
    assert float(exclusion(a, 0.01 * a)) > 1e-7, "the weaker image's edges count as well"


def test_network_and_critic_pull_in_opposite_directions(images):
    critic = Critic((8, 16))
    estimate, truth = (x[:, 0].clone().requires_grad_() for x in images)
    adversarial_loss(critic, estimate, truth).backward()
    ahead = [p.grad.clone() for p in critic.parameters()]
    with torch.no_grad():
        margin = (critic(truth) - critic(estimate)).mean()
        better = estimate - 10 * estimate.grad
        assert (critic(truth) - critic(better)).mean() < margin, (
            "the network wants its image to look more real"
        )
        for parameter, gradient in zip(critic.parameters(), ahead, strict=True):
            parameter -= 0.01 * gradient
        assert (critic(truth) - critic(estimate)).mean() > margin, "the critic wants to tell them apart"
    assert truth.grad is not None  # through the critic only: truths are no parameters


def test_all_losses_train_together_and_the_critic_is_not_exported(image_folder, tmp_path):
    from napari_bitsnet.methods.ytmt.weights_file import load_weights

    trainer = TRAINERS.get("ytmt")
    config = trainer.Config(
        batch=2, size=64, width=8, levels=2, hypercolumn="no", validation_pairs=2, steps=2, validate_every=2,
        image_weights=(0.3, 0.9), gradient=0.6, total=0.2, perceptual=0.1, exclusion=1.0, adversarial=0.01,
    )  # fmt: skip
    job = trainer(config, {"photographs": [image_folder]}, folder=tmp_path / "run", device="cpu")
    job.check()
    *_, last = job.steps()
    assert last.step == 2
    assert any(name.startswith("critic.") for name in job._loop.network.state_dict())
    job.export(tmp_path / "w.safetensors")
    network, facts = load_weights(tmp_path / "w.safetensors")
    assert not hasattr(network, "critic")
    assert facts["settings"]["adversarial"] == 0.01
    assert facts["kinds"] == ["transmission", "reflection"]
