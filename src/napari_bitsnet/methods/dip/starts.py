"""Start from the best answer that costs nothing: which closed form, or trained network, goes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.methods import METHODS, Answer

if TYPE_CHECKING:
    from napari_bitsnet.methods.dip.adam import DipFit

LATER = 1 / 3
"""Part of the planned steps that networks take which go on from the slice before."""
DRIFT = 0.2
"""Noise that is added to noise inputs from slice to slice, in parts of the first's half width."""
StartName = Literal["auto", "none", "guided_regression", "ica", "sparse_gradients", "feedforward"]


def choose_start(name: StartName, traits: Traits) -> str:
    """Return the name of the method that goes first, or ``"none"``.

    Parameters
    ----------
    name : str
        ``"auto"`` takes regression where there are guides, ica where there are several mixtures,
        sparse_gradients where there are hints, else feedforward if its trained weights are at hand.
    traits : Traits
        Of the problem.

    Raises
    ------
    ValueError
        If a start was asked for by name that cannot solve such a problem.
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
    """The whole answer of the method that went first, its state, and its `Method.doubtful_below`."""

    answer: Answer
    state: State
    doubtful_below: float


def run_start(
    name: str, problem: Problem, *, device: str, seed: int, previous: State | None = None
) -> Started:
    """Run the method called `name` with its balanced preset, from its state of the slice before if it can."""
    method = METHODS.get(name)(METHODS.get(name).presets["balanced"])
    if previous is None:
        state = method.start(problem, device=device, seed=seed)
    else:
        state = method.warm_start(problem, previous, device=device, seed=seed)
    for _ in method.advance(state):
        pass
    return Started(method.solution(state), state, method.doubtful_below(state))


def go_on(
    fit: DipFit,
    earlier: DipFit,
    *,
    drifting: Sequence[int] = (),
    scale: float = 0.0,
    seed: int = 0,
    anew: bool = False,
) -> float:
    """Let networks go on from the slice before; see `DipFit.follow`.

    Parameters
    ----------
    fit, earlier : DipFit
        Of this slice and of the one before.
    drifting : sequence of int
        Which inputs are noise.
    scale : float
        Half width of that noise.
    seed : int
        Of the noise that is added to it.
    anew : bool
        Whether networks that correct a start from noise begin anew: what they learnt belongs to the places of the slice before,
        and the start has its own memory. They, too, need fewer steps then.

    Returns
    -------
    float
        `State.share`: the part of the planned steps that is left to do.
    """
    if anew:
        return LATER
    if not fit.alike(earlier):
        return 1.0
    fit.follow(earlier, drifting, drift=DRIFT * scale, seed=seed)
    return LATER
