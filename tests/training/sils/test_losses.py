"""The losses of SILS as mathematics, and the toy."""

from __future__ import annotations

import math

import pytest
import torch

from napari_bitsnet.methods.sils.network import SILSNetwork
from napari_bitsnet.training.loop import generator
from napari_bitsnet.training.sils.critic import Critic, adversarial_losses, gradient_penalty
from napari_bitsnet.training.sils.losses import (
    Separated,
    cycle_consistency,
    nearness,
    separate,
    shared_information,
)
from napari_bitsnet.training.sils.shapes import BRIGHTNESS, NAMES, SIZES, draw_shapes

ALPHA = 1.4


class Halves(SILSNetwork):
    """Every image of a mixture is half of it: these add up, and their sum's images are the same."""

    def decode(self, kind, features, seen):
        return seen / 2


def test_nearness_has_the_papers_values():
    code = torch.zeros(3, 16, 4, 4)
    assert float(nearness(code, code, ALPHA)) == pytest.approx(0.052, abs=5e-4)
    half = ALPHA * math.exp(ALPHA) / 16**0.5  # the distance sums over 16 channels, over the root of 16
    assert float(nearness(code, code + half, ALPHA)) == pytest.approx(0.5, abs=1e-5)


def test_codes_of_one_kind_attract_and_of_different_kinds_repel():
    torch.manual_seed(0)
    a, b = torch.randn(2, 3, 16, 4, 4).unbind()
    found = Separated(torch.zeros(3, 1, 8, 8), [a, b], [])
    apart = Separated(torch.zeros(3, 1, 8, 8), [a, a], [])
    same = shared_information(found, [a, b], alpha=ALPHA)
    assert float(same) == pytest.approx(1 - float(nearness(a, b, ALPHA)))
    assert shared_information(found, [b, a], alpha=ALPHA) > same
    assert shared_information(apart, [a, a], alpha=ALPHA) > same


def test_what_adds_up_and_is_found_again_has_no_cycle_loss():
    network, mixture = Halves(2, 1, (8, 16)), torch.rand(2, 1, 16, 16)
    found = separate(network, mixture)
    assert float(cycle_consistency(network, found)) == pytest.approx(0, abs=1e-7)
    doubled = Separated(mixture, found.codes, [2 * image for image in found.images])
    assert float(cycle_consistency(network, doubled)) == pytest.approx(float(mixture.mean()), rel=1e-4)


def test_network_and_critic_have_losses_of_their_own():
    torch.manual_seed(0)
    critic, made, real = Critic(1, 2), torch.rand(2, 1, 32, 32, requires_grad=True), torch.rand(2, 1, 32, 32)
    of_network, of_critic = adversarial_losses(critic, made, real)
    of_network.backward()
    assert made.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in critic.parameters())
    made.grad = None
    of_critic.backward()
    assert made.grad is None
    assert all(parameter.grad is not None for parameter in critic.parameters())


def test_the_penalty_is_half_the_squared_gradient():
    critic = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 1))
    penalty = gradient_penalty(critic, torch.rand(3, 1, 4, 4))
    assert float(penalty.detach()) == pytest.approx(
        float(critic[1].weight.detach().square().sum() / 2), rel=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_is_whole_and_has_one_brightness(name):
    images = draw_shapes(name, 32, 64, generator(0, 1))
    assert images.shape == (32, 1, 64, 64)
    brightest = images.amax(dim=(1, 2, 3))
    assert BRIGHTNESS[0] - 0.01 < float(brightest.min())
    assert float(brightest.max()) < BRIGHTNESS[1] + 0.01
    border = torch.cat([images[..., 0].flatten(), images[..., -1].flatten(), images[..., 0, :].flatten()])
    assert float(border.max()) < 1e-6
    area = (images / brightest[:, None, None, None]).sum(dim=(1, 2, 3)) / 64**2
    full = {"squares": 4.0, "circles": math.pi, "triangles": 27**0.5 / 4}[name]
    assert float(area.min()) > 0.9 * full * SIZES[0] ** 2
    assert float(area.max()) < 1.1 * full * SIZES[1] ** 2
    torch.testing.assert_close(images, draw_shapes(name, 32, 64, generator(0, 1)))


def test_sums_of_the_kinds_own_images_have_a_known_answer(tmp_path):
    from napari_bitsnet.training.protocol import TRAINERS

    trainer = TRAINERS.get("sils")
    small = {"demo": "shapes", "batch": 2, "size": 32, "width": 8, "levels": 2, "validation_mixtures": 2}
    job = trainer(trainer.Config(**small, steps=2, sums=3, sums_alone=0.5), {}, folder=tmp_path, device="cpu")
    list(job.steps())
    assert job._loop.optimiser.param_groups[0]["betas"] == (0.0, 0.9), "as in the paper"
    network, layers = job._loop.network, torch.stack(job.images.draw(7, 2)[1], dim=1)
    expected = 3 * (network(layers.sum(dim=1)) - layers).abs().mean()
    assert job.loss(network, 7) > 1.1 * expected, "at the end of a training, all terms"
    job._loop.step = 0
    torch.testing.assert_close(job.loss(network, 7), expected, msg="at first, sums alone")
    job.config = job.config.updated({"sums": 0})
    assert job.loss(network, 7) > expected, "as in the paper: all its terms from the beginning"


@pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="bfloat16 needs such a processor"
)
def test_half_precision_holds_for_the_training_too(tmp_path):
    from napari_bitsnet.training.protocol import TRAINERS

    trainer, losses = TRAINERS.get("sils"), []
    small = {"demo": "shapes", "batch": 2, "size": 32, "width": 8, "levels": 2, "validation_mixtures": 2}
    for half in (False, True):
        job = trainer(
            trainer.Config(**small, steps=1, half=half, sums_alone=0),
            {},
            folder=tmp_path / str(half),
            device="cpu",
        )
        list(job.steps())
        with torch.no_grad():
            losses.append(float(job.loss(job._loop.network, 7)))
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != pytest.approx(losses[1], rel=1e-6), "rounded to eight bits"
