"""Untrained networks along a stack: weights and noise go on, corrections begin anew, fewer steps, same
numbers again."""

from typing import Any

import numpy as np
import pytest
import torch

import napari_bitsnet as nb
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.methods import METHODS
from napari_bitsnet.methods.dip import generators as _generators
from napari_bitsnet.methods.dip.bitsnet import BitsNet, BitsNetConfig
from napari_bitsnet.tasks import TASKS, Inputs

RNG = np.random.default_rng(0)
FILM = RNG.random((3, 24, 24, 3)).astype(np.float32)
TINY: dict[str, Any] = {"channels": (4, 6), "skip_channels": (0, 2), "denoiser": "gaussian", "start": "none"}


def problem(k: int, size: int = 24) -> Problem:
    return Problem(torch.from_numpy(FILM[k, :size, :size]).permute(2, 0, 1)[None])


def first(method: BitsNet) -> Any:
    state = method.start(problem(0), device="cpu", seed=3)
    for _ in zip(range(3), method.advance(state), strict=False):
        pass
    return state


def test_networks_noise_and_admm_go_on_where_the_slice_before_ended():
    method = BitsNet(BitsNetConfig(**TINY, correction=0))
    before = first(method)
    after = method.warm_start(problem(1), before, device="cpu", seed=3)
    for a, b in zip(after.fit.fitted, before.fit.fitted, strict=True):
        assert torch.equal(a, b)
        assert a is not b
    assert torch.equal(after.admm.z, before.admm.z)
    assert after.admm.z is not before.admm.z
    drift = after.fit.inputs[0] - before.fit.inputs[0]
    largest = _generators.DRIFT * method.config.input_scale
    assert largest / 2 < float(drift.abs().max()) <= largest * (1 + 1e-4)
    third = method.warm_start(problem(2), after, device="cpu", seed=3)
    assert not torch.allclose(third.fit.inputs[0] - after.fit.inputs[0], drift, atol=largest / 10)
    assert after.share == third.share == _generators.LATER
    assert after.step == 0


def test_another_size_begins_anew():
    method = BitsNet(BitsNetConfig(**TINY, correction=0))
    other = method.warm_start(problem(1, 20), first(method), device="cpu", seed=3)
    alone = method.start(problem(1, 20), device="cpu", seed=3)
    assert other.share == 1
    assert all(torch.equal(a, b) for a, b in zip(other.fit.fitted, alone.fit.fitted, strict=True))


@pytest.mark.parametrize("correction", [0.0, 0.1])
def test_a_stack_gives_the_same_numbers_again_and_takes_fewer_steps(correction):
    settings = {**TINY, "correction": correction}

    def run() -> tuple[np.ndarray, list[int]]:
        steps = [0, 0, 0]
        frames = nb.iter_separate(
            FILM, axes="TYXC", method="bitsnet", settings=settings, iterations=9, seed=1
        )
        while True:
            try:
                step = next(frames)
            except StopIteration as end:
                return end.value.sources, steps
            steps[step.plane] = step.step

    (one, steps), (two, _) = run(), run()
    np.testing.assert_array_equal(one, two)
    assert steps == [9, 3, 3]


@pytest.mark.parametrize(
    ("name", "task", "settings"),
    [
        ("dip", "denoise", {}),
        ("dip", "denoise", {"start": "none"}),
        ("double_dip_haze", "dehaze", {}),
        ("double_dip_haze", "dehaze", {"start": "none"}),
        ("double_dip_layers", "segment", {"channels": (4, 6)}),
    ],
)
def test_every_untrained_method_goes_on(name, task, settings):
    made = METHODS.get(name)
    small = {} if name == "double_dip_layers" else {"channels": (4, 6), "skip_channels": (0, 2)}
    method = made(made.presets["quick"].updated({**small, **settings}))
    hints = np.zeros((24, 24), np.uint8)
    hints[2:5, 2:9], hints[18:21, 3:9] = 1, 2
    problems = [
        TASKS.get(task)().build(Inputs(frame, hints=hints if task == "segment" else None)).problem
        for frame in FILM
    ]
    before = method.start(problems[0], device="cpu", seed=0)
    next(method.advance(before))
    after = method.warm_start(problems[1], before, device="cpu", seed=0)
    assert after.share == _generators.LATER
    assert all(torch.equal(a, b) for a, b in zip(after.fit.fitted, before.fit.fitted, strict=True))
    next(method.advance(after))
    assert torch.isfinite(method.solution(after)["sources"]).all()
