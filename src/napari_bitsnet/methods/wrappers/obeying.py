"""Hints for methods that do not look at them: marked areas are given to the named source afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.problem import Problem, State
from napari_bitsnet.methods import Method
from napari_bitsnet.methods.wrappers.wrapper import Wrapper

if TYPE_CHECKING:
    from torch import Tensor


class Obeying(Wrapper):
    """A method whose answer is changed where hints say whose something is; see `give_marked`.

    It keeps nothing of its own, so that a run can be wrapped when hints come while it goes on, or after it.

    Parameters
    ----------
    method : Method
        For shares of one observation (`Linear` mixing).
    """

    def __init__(self, method: Method[Any]) -> None:
        super().__init__(method)
        if hasattr(method, "start_after"):
            self.start_after = method.start_after
        if hasattr(method, "stages"):
            self.stages = method.stages

    def start(self, problem: Problem, *, device: str, seed: int) -> State:
        """See `Method.start`."""
        return self.method.start(problem, device=device, seed=seed)

    def advance(self, state: State) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`."""
        return self.method.advance(state)

    def take_hints(self, state: State, hints: Tensor | None) -> None:
        """See `Method`: what is changed is the answer, at once."""
        state.problem = replace(state.problem, hints=hints)

    def answer(self, state: State) -> dict[str, Tensor]:
        """See `Method.answer`."""
        from napari_bitsnet.methods.wrappers.marked_areas import give_marked

        answer, hints = self.method.answer(state), state.problem.hints
        if hints is None:
            return answer
        return {**answer, "sources": give_marked(answer["sources"], hints.to(answer["sources"]))}


def starts_again(method: Method[Any]) -> bool:
    """Whether a method without ``take_hints`` looks at the problem's hints, so that other ones need a new start."""
    while hasattr(method, "method"):  # the one that is wrapped
        method = method.method
    return bool(getattr(method, "reads_hints", False))


def with_hints(method: Method[Any], problem: Problem) -> Any:
    """Return a method that looks at hints: itself, or wrapped; None where marks say nothing about shares."""
    if hasattr(method, "take_hints"):
        return method
    if problem.mixing.name == "linear" and problem.n_sources > 1:
        return Obeying(method)
    return None
