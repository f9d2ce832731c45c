"""The contract of methods: default abilities, what wrappers hand on, and which methods override what they
announce."""

from dataclasses import replace
from typing import ClassVar

import pytest
import torch

from napari_bitsnet.core.config import Config
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage
from napari_bitsnet.methods import METHODS, BaseMethod, Cost, StagedMethod
from napari_bitsnet.methods.wrappers.averaged_seeds import AveragedSeeds
from napari_bitsnet.methods.wrappers.obeying import Obeying, with_hints
from napari_bitsnet.methods.wrappers.working_size import WorkingSize


class Third(BaseMethod):
    """Gives a third of the mixture to source 1."""

    name, title, summary = "third", "Third", "A toy."
    Config = Config
    presets: ClassVar = {"balanced": Config()}

    def unsupported_reason(self, traits):
        return None

    def start(self, problem, *, device, seed):
        return State(problem)

    def advance(self, state):
        if state.step == 0:
            state.step = 1
            yield {"loss": torch.zeros(())}

    def solution(self, state):
        mixture = state.problem.observations
        return {"sources": torch.cat([mixture / 3, 2 * mixture / 3])}


class Able(Third):
    """Has every ability."""

    full_resolution, seeded, updates_hints = False, True, True
    cost = Cost(1.0, 2.0)

    def warm_start(self, problem, previous, *, device, seed):
        return State(problem, share=0.5)

    def update_hints(self, state, hints):
        state.problem = replace(state.problem, hints=hints)

    def doubtful_below(self, state):
        return 0.3


PROBLEM = Problem(torch.rand(1, 1, 40, 30, generator=torch.Generator().manual_seed(0)))
HINTS = torch.zeros(2, 1, 40, 30)


def test_a_method_needs_four_functions():
    for missing in ("unsupported_reason", "start", "advance", "solution"):
        partial = type("Partial", (BaseMethod,), {n: v for n, v in vars(Third).items() if n != missing})
        with pytest.raises(TypeError, match=missing):
            partial()


def test_defaults_are_those_of_a_closed_form():
    method = Third()
    state = method.start(PROBLEM, device="cpu", seed=0)
    assert (method.iterations, method.config) == (1, Config())
    assert method.stopping() is None
    assert method.full_resolution
    assert not any((method.seeded, method.reads_hints, method.updates_hints))
    assert method.warm_start(PROBLEM, state, device="cpu", seed=0) == state
    assert method.alternatives(state) == []
    assert method.doubtful_below(state) == 0
    assert method.recommendation(PROBLEM.observations.numpy(), Traits()) is None
    assert len(list(method.stages(state))) == state.step == 1
    with pytest.raises(TypeError, match="third: start it again"):
        method.update_hints(state, HINTS)


@pytest.mark.parametrize("wrap", [lambda m: WorkingSize(m, 20), lambda m: AveragedSeeds(m, 2), Obeying])
def test_wrappers_hand_on_abilities(wrap):
    method = wrap(Able())
    first = method.start(PROBLEM, device="cpu", seed=0)
    after = method.warm_start(PROBLEM, first, device="cpu", seed=0)
    assert (method.name, method.cost, method.seeded) == ("third", Cost(1.0, 2.0), True)
    assert (first.share, after.share) == (1.0, 0.5)
    assert method.doubtful_below(after) == 0.3
    assert with_hints(method, PROBLEM) is method
    method.update_hints(after, HINTS)
    assert after.problem.hints is HINTS
    assert method.solution(after)["sources"].shape == (2, 1, 40, 30)


def test_hints_wrap_methods_that_cannot_read_them():
    assert isinstance(with_hints(Third(), PROBLEM), Obeying)
    assert with_hints(Third(), replace(PROBLEM, n_sources=1)) is None
    assert not WorkingSize(Third(), 20).updates_hints
    assert Obeying(METHODS.get("feedforward")()).reads_hints


@pytest.mark.parametrize("name", METHODS)
def test_methods_do_what_they_announce(name: str):
    method = METHODS.get(name)
    assert issubclass(method, BaseMethod)
    assert method.updates_hints == (method.update_hints is not BaseMethod.update_hints)
    assert method.cost is not None
    assert method().config == method.Config()


class Halving(StagedMethod):
    """Halves the mixture until it is dark."""

    name, title, summary = "halving", "Halving", "A toy."
    Config = Config
    presets: ClassVar = {"balanced": Config()}
    iterations = 10

    def unsupported_reason(self, traits):
        return None

    def start(self, problem, *, device, seed):
        return State(problem)

    def iterating(self, state):
        yield Stage("looking")
        if float(state.share) < 0.2:
            return None
        state.share /= 2
        return {"share": torch.tensor(state.share)}

    def solution(self, state):
        return {"sources": state.share * state.problem.observations}


def test_staged_methods_end_where_nothing_is_left_to_do():
    method, state = Halving(), Halving().start(PROBLEM, device="cpu", seed=0)
    told = list(method.stages(state))
    assert [float(step["share"]) for step in told if isinstance(step, dict)] == [0.5, 0.25, 0.125]
    assert (state.step, sum(isinstance(step, Stage) for step in told)) == (3, 4)
    assert list(method.advance(state)) == []
