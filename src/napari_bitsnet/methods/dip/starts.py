"""Choose and run the closed form or trained network that initialises the networks."""

from __future__ import annotations

from typing import Literal, NamedTuple

from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages, named
from napari_bitsnet.methods import METHODS, Answer

StartName = Literal["auto", "none", "guided_regression", "ica", "sparse_gradients", "feedforward"]


def choose_start(name: StartName, traits: Traits) -> str:
    """Return the name of the method that gives the start, or ``"none"``.

    Parameters
    ----------
    name : str
        ``"auto"`` chooses guided_regression with guides, ica for several mixtures, sparse_gradients with
        hints, else feedforward if its trained weights are available.
    traits : Traits
        Traits of the problem.

    Raises
    ------
    ValueError
        If the named method cannot solve such a problem.
    """
    if name == "none":
        return name
    if name != "auto":
        reason = METHODS.get(name)(METHODS.get(name).presets["balanced"]).unsupported_reason(traits)
        if reason is not None:
            raise ValueError(
                f'Expected a start that fits the problem, got {name!r}: {reason} Use start="auto".'
            )
        return name
    wanted = {
        "guided_regression": traits.n_guides > 0,
        "ica": traits.n_observations > 1,
        "sparse_gradients": traits.has_hints,
        "feedforward": traits.n_observations == 1 and traits.n_guides == 0,
    }
    for candidate in (c for c, fits in wanted.items() if fits and c in METHODS.names()):
        method = METHODS.get(candidate)
        if method(method.presets["balanced"]).unsupported_reason(traits) is None:
            return candidate
    return "none"


class Started(NamedTuple):
    """Answer and state of the method that gave the start, and its `Method.doubtful_below`."""

    answer: Answer
    state: State
    doubtful_below: float


def running_start(
    name: str, problem: Problem, *, device: str, seed: int, previous: State | None = None
) -> Stages[Started]:
    """Run the method `name` with its preset ``balanced``, from its state of the previous slice if possible.

    Yields its stages; sending True keeps the best answer so far.
    """
    method = METHODS.get(name)(METHODS.get(name).presets["balanced"])
    state = yield from named("start", method.starting(problem, previous, device=device, seed=seed))
    enough: bool | None = False
    for told in method.stages(state):
        if isinstance(told, Stage):
            enough = yield Stage(f"start, {told.name}")
        elif state.step < method.iterations:
            enough = yield Stage(f"start, iteration {state.step + 1} of {method.iterations}")
        if enough and (state.step > 0 or state.has_start):
            break
    return Started(method.solution(state), state, method.doubtful_below(state))
