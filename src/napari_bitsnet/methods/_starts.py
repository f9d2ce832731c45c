"""Start from the best answer that costs nothing: which closed form, or trained network, goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.methods import METHODS

if TYPE_CHECKING:
    from torch import Tensor

StartName = Literal["auto", "none", "regression", "ica", "sparse_gradients", "feedforward"]


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
        reason = METHODS.get(name)(METHODS.get(name).presets["balanced"]).supports(traits)
        if reason is not None:
            raise ValueError(
                f'Expected a start that fits the problem, got {name!r}: {reason} Use start="auto".'
            )
        return name
    wanted = {
        "regression": traits.n_guides > 0,
        "ica": traits.n_observations > 1,
        "sparse_gradients": traits.has_hints,
        "feedforward": traits.n_observations == 1 and traits.n_guides == 0,
    }
    for candidate in (c for c, fits in wanted.items() if fits and c in METHODS.names()):
        method = METHODS.get(candidate)
        if method(method.presets["balanced"]).supports(traits) is None:
            return candidate
    return "none"


def run_start(name: str, problem: Problem, *, device: str, seed: int) -> dict[str, Tensor]:
    """Return the whole answer of the method called `name`, with its balanced preset."""
    method = METHODS.get(name)(METHODS.get(name).presets["balanced"])
    state = method.start(problem, device=device, seed=seed)
    for _ in method.advance(state):
        pass
    return method.answer(state)
