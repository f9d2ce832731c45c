"""The states of a run."""

from __future__ import annotations

import pytest

from napari_bitsnet.widgets.run.states import MOVES, RunState, RunStates


def test_the_usual_way():
    states, seen = RunStates(), []
    states.changed.connect(seen.append)
    way = [RunState.PREPARING, RunState.RUNNING, RunState.STOPPING, RunState.IDLE]
    assert not states.busy
    for state in way:
        states.to(state)
        assert states.busy is (state is not RunState.IDLE)
    assert seen == way


@pytest.mark.parametrize("state", [s for s in RunState if s is not RunState.IDLE])
def test_from_everywhere_there_is_a_way_back(state):
    assert RunState.IDLE in MOVES[state]


def test_other_moves_are_errors():
    states = RunStates()
    with pytest.raises(ValueError, match="No move from IDLE to RUNNING"):
        states.to(RunState.RUNNING)
    states.to(RunState.PREPARING)
    states.to(RunState.STOPPING)
    with pytest.raises(ValueError, match="No move from STOPPING to RUNNING"):
        states.to(RunState.RUNNING)


@pytest.mark.parametrize("before", list(RunState))
def test_a_run_is_stopped_once_and_an_ended_one_not_at_all(before):
    states, seen = RunStates(), []
    states.current = before
    states.changed.connect(seen.append)
    states.stop()
    states.stop()
    assert seen == ([RunState.STOPPING] if before in (RunState.PREPARING, RunState.RUNNING) else [])
    assert states.current is (seen[0] if seen else before)
