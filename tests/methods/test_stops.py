"""Every registered method hears a stop request soon: between two looks at it there is never a whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.problem import State
from napari_bitsnet.core.stages import Stage, exhaust
from napari_bitsnet.methods import METHODS, Method
from napari_bitsnet.methods.wrappers.averaged_seeds import AveragedSeeds
from napari_bitsnet.methods.wrappers.obeying import Obeying
from napari_bitsnet.methods.wrappers.working_size import WorkingSize
from tests.test_contracts import PROBLEMS

pytestmark = pytest.mark.usefixtures("few_windows")

STEPS = 2
"""Iterations of methods with many of them."""


def presets(name: str) -> str:
    """The quickest preset; of trained networks one with closer looks, which the quickest has not."""
    return "balanced" if name == "feedforward" else "quick"


def made(name: str) -> Method:
    return METHODS.get(name)(METHODS.get(name).presets[presets(name)])


CHEAP_FIRST = ("hints", "two mixtures", *PROBLEMS)
"""Of the problems that a method solves it gets the first: with hints, what goes first takes least."""

CASES = [
    pytest.param(
        name,
        next(p for p in CHEAP_FIRST if made(name).unsupported_reason(PROBLEMS[p].traits) is None),
        id=name,
    )
    for name in METHODS
    if any(made(name).unsupported_reason(each.traits) is None for each in PROBLEMS.values())
]


def looks(method: Method, problem, stop: Callable[[], bool]) -> Iterator[tuple[State | None, Stage | None]]:
    """Start and run a method as a run does; yield state and stage at every look, None after an iteration."""
    starting = method.starting(problem, None, device="cpu", seed=0)
    enough: bool | None = None
    while True:
        try:
            stage = starting.send(enough)
        except StopIteration as end:
            state = end.value
            break
        yield None, stage
        enough = stop() or None
    if stop() and has_answer(state):
        yield state, None
        return
    for told in method.stages(state):
        yield state, told if isinstance(told, Stage) else None
        if state.step >= min(STEPS, method.iterations) or (stop() and has_answer(state)):
            break
    yield state, None


def has_answer(state: State | None) -> bool:
    """Whether there is something to keep."""
    return state is not None and (state.step > 0 or state.has_start)


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_there_is_a_look_before_the_end_and_a_stop_request_ends_the_run_there(name: str, problem: str):
    stated, method = PROBLEMS[problem], made(name)
    seen = [(stage, has_answer(state)) for state, stage in looks(method, stated, lambda: False)]
    told = [stage for stage, _ in seen if stage is not None]
    assert len(seen) > 2, "nobody is asked during the whole run"
    assert told or method.iterations > 1
    assert all(stage.name == stage.name.strip() != "" for stage in told)
    ready = [answer for _, answer in seen].index(True)
    for k in sorted({0, len(seen) // 2}):
        asked = iter([False] * k)
        *looked, (state, _) = looks(method, stated, lambda asked=asked: next(asked, True))
        # at the next look with something to keep; what goes first may have it sooner than in a whole run
        assert len(looked) <= max(k, ready) + 3, (k, ready, len(looked), len(seen))
        answer = method.solution(state)
        sources = answer["sources"]
        assert sources.shape == (stated.n_sources, *stated.observations.shape[1:])
        assert bool(torch.isfinite(sources).all())
        if stated.mixing.name == "linear" and not stated.guides:
            torch.testing.assert_close(stated.mixing(sources), stated.observations, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_looking_changes_nothing(name: str, problem: str):
    method, stated = made(name), PROBLEMS[problem]
    *_, (state, _) = looks(method, stated, lambda: False)
    assert state is not None
    silent = method.start(stated, device="cpu", seed=0)
    for _ in method.advance(silent):
        if silent.step >= min(STEPS, method.iterations):
            break
    for key, value in method.solution(state).items():
        assert torch.equal(value, method.solution(silent)[key]), key


WRAPPED = {
    "working size": lambda: WorkingSize(made("bitsnet"), 16),
    "hints": lambda: Obeying(made("feedforward")),
    "seeds": lambda: AveragedSeeds(made("double_dip"), 3),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_methods_are_stopped_at_their_start(name: str):
    stated = PROBLEMS["hints" if name == "seeds" else "colour"]
    method = WRAPPED[name]()
    whole, stopped = ([*looks(method, stated, lambda answer=a: answer)] for a in (False, True))
    assert len(stopped) < len(whole)
    state = stopped[-1][0]
    assert state is not None
    assert state.step == 0
    sources = method.solution(state)["sources"]
    torch.testing.assert_close(sources.sum(dim=0), stated.observations[0], rtol=0, atol=1e-4)
    assert float((sources[0] - sources[1]).std()) > 1e-3  # not an even division


def test_seeds_that_are_left_in_the_middle_of_an_iteration_are_brought_to_one_step():
    method = AveragedSeeds(made("double_dip"), 3)
    stated = PROBLEMS["hints"]
    whole, left = (method.start(stated, device="cpu", seed=1) for _ in range(2))
    for told in method.stages(left):
        if isinstance(told, Stage) and told.name.startswith("seed 3"):
            break
    assert [member.step for member in left.members] == [1, 1, 0]
    assert left.step == 0
    for state in (whole, left):
        steps = method.advance(state)
        next(steps)
        next(steps)
    assert [member.step for member in left.members] == [2, 2, 2]
    assert torch.equal(method.solution(whole)["sources"], method.solution(left)["sources"])


def test_seeds_that_did_not_start_are_named():
    method = AveragedSeeds(made("bitsnet"), 4)
    *_, (state, _) = looks(method, PROBLEMS["hints"], lambda: True)
    assert len(state.members) == 1
    assert "1 of 4 seeds" in str(state.notices[-1])


def test_noise_is_removed_where_the_first_round_got_to():
    rng = np.random.default_rng(0)
    clean = np.tile(0.3 + 0.4 * (np.indices((320, 320)).sum(axis=0) // 32 % 2), (1, 1))
    image = normalise(clean + rng.normal(0, 0.1, clean.shape))
    from napari_bitsnet.core.mixing import Noisy

    noisy = replace(PROBLEMS["noise"], observations=image.tensor, mixing=Noisy(0.1))
    method = made("nl_bayes")
    state = exhaust(method.starting(noisy, None, device="cpu", seed=0))
    first = list(iter_until(method, state))
    assert state.step == 0
    assert len(first) >= 2
    change = (method.solution(state)["sources"] - noisy.observations.clamp(0, 1)).abs()[0, 0]
    done = change > 1e-4
    assert 0.02 < float(done.float().mean()) < 0.98
    rows = done.float().mean(dim=1)
    assert float(rows[:8].mean()) > 0.9 > 0.1 > float(rows[-8:].mean())  # from the top


def iter_until(method: Method, state: State) -> Iterator[Stage | dict]:
    """Stages up to the first at which a part is done."""
    for told in method.stages(state):
        yield told
        if state.has_start:
            return
