"""The loop that trainers share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from napari_bitsnet.training.loop import Loop, generator, seeded
from napari_bitsnet.training.protocol import TrainingConfig


def make(folder: Path, **settings) -> Loop:
    with seeded(0):
        network = nn.Linear(3, 1)
    config = TrainingConfig(**{"half": False, "rate": 0.05, "decay": 0.0, "averaging": 0.9, **settings})
    return Loop("line", network, [(list(network.parameters()), 1.0)], config, folder, "cpu")


TRUTH = torch.tensor([[1.0, -2.0, 0.5]])


def loss(look, step):
    x = torch.randn(64, 3, generator=generator(0, step))
    return (look(x) - x @ TRUTH.T - 0.25).square().mean()


def test_the_loop_finds_a_least_squares_solution_and_its_average_follows(tmp_path):
    loop = make(tmp_path, steps=600)
    *_, last = loop.run(loss, lambda look: ({"bias": float(look(torch.zeros(1, 3)))}, None))
    assert (last.step, loop.done, last.seconds_left) == (600, 1, 0)
    torch.testing.assert_close(loop.average.weight, TRUTH, atol=1e-2, rtol=0)
    assert last.scores["bias"] == pytest.approx(0.25, abs=1e-2)
    assert not any(p.requires_grad for p in loop.average.parameters())


def test_a_loop_without_steps_ends_with_its_time(tmp_path):
    loop = make(tmp_path)
    loop.config = loop.config.model_copy(update={"hours": 1e-12})
    steps = list(loop.run(loss, lambda look: ({}, None)))
    assert [(step.step, step.seconds_left) for step in steps] == [(1, 0.0)]


def test_paces_scale_the_learning_rate(tmp_path):
    loop = make(tmp_path, steps=1)
    weight, bias = loop.network.parameters()
    paced = Loop("line", loop.network, [([weight], 1.0), ([bias], 0.0)], loop.config, tmp_path, "cpu")
    before = bias.detach().clone(), weight.detach().clone()
    list(paced.run(loss, lambda look: ({}, None)))
    assert torch.equal(bias, before[0])
    assert not torch.equal(weight, before[1])


def test_a_checkpoint_of_a_network_of_another_size_is_refused(tmp_path):
    make(tmp_path).save()
    other = nn.Linear(4, 1)
    loop = Loop("line", other, [(list(other.parameters()), 1.0)], TrainingConfig(), tmp_path, "cpu")
    with pytest.raises(ValueError, match="Expected a checkpoint of the same network"):
        loop.resume()


def test_seeds_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    draws = []
    for seed in (0, 0, 1):
        with seeded(seed):
            draws.append(torch.rand(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    first, again, other = (torch.rand(3, generator=generator(0, number)) for number in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
