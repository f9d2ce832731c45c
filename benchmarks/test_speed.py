"""Timings of iterations, their parts and closed forms, to notice regressions; about two minutes: ``python -m
pytest benchmarks``.

Not part of the tests: nothing here asserts a time. Compare two states of the project on one idle machine with
``--benchmark-save=before`` and then ``--benchmark-compare --benchmark-compare-fail=median:20%``.
"""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from benchmarks.quality.cases.builtin import builtin_cases
from benchmarks.speed.plain_official import PlainOfficial
from benchmarks.speed.step_time import noise_problem, start_bitsnet
from napari_bitsnet.core.denoisers.nlm import nlm
from napari_bitsnet.core.losses.exclusion import pairwise_exclusion
from napari_bitsnet.methods.dip.bitsnet import BitsNet

SIZE = 128


def measure(benchmark: Any, work: Callable[[], object], rounds: int = 10) -> None:
    """One call a round, after one that warms up."""
    benchmark.pedantic(work, rounds=rounds, warmup_rounds=1)


@pytest.mark.parametrize("preset", ["official", "balanced"])
def test_bitsnet_iteration(benchmark: Any, preset: str) -> None:
    config = BitsNet.presets[preset].updated({"start": "none"})
    method, state = start_bitsnet(config, noise_problem(SIZE), "cpu")
    advance = method.advance(state)
    measure(benchmark, lambda: next(advance), rounds=20)


def test_plain_network_step(benchmark: Any) -> None:
    """The plain execution, with which `official` is compared, should not become faster by accident."""
    _, state = start_bitsnet(BitsNet.presets["official"], noise_problem(SIZE), "cpu")
    measure(benchmark, PlainOfficial(state).descend, rounds=20)


def test_network_forward(benchmark: Any) -> None:
    _, state = start_bitsnet(BitsNet.presets["official"], noise_problem(SIZE), "cpu")

    def forward() -> None:
        state.fit.look()
        state.fit.draw()

    with torch.no_grad():
        measure(benchmark, forward, rounds=20)


def test_exclusion_forward_and_backward(benchmark: Any) -> None:
    sources = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    measure(benchmark, lambda: pairwise_exclusion(sources).backward())


def test_non_local_means(benchmark: Any) -> None:
    measure(benchmark, partial(nlm, noise_problem(256).observations, 3 / 255))


@pytest.mark.parametrize(
    ("group", "method"), [("panel, two guides", "guided_regression"), ("two mixtures", "ica")]
)
def test_closed_form(benchmark: Any, group: str, method: str) -> None:
    from napari_bitsnet.api import run

    case = next(make for name, make in builtin_cases(SIZE, 1) if name.startswith(group))()
    solve = partial(
        run, case.task, case.mixture, guides=case.guides, method=method, preset="quick", **case.options
    )
    measure(benchmark, solve, rounds=3)


def test_import(benchmark: Any) -> None:
    command = [sys.executable, "-c", "import napari_bitsnet as nb; nb.list_methods()"]
    measure(benchmark, partial(subprocess.run, command, check=True), rounds=3)
