"""Hints for methods that do not look at them: marked areas are given to the named source afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.problem import Problem, State
from napari_bitsnet.methods import Answer, Method
from napari_bitsnet.methods.wrappers.wrapper import Wrapper

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.stages import Stage, Stages


class Obeying(Wrapper[State]):
    """A method whose answer is changed where hints say whose something is; see `give_marked`.

    It keeps nothing of its own, so that a run can be wrapped when hints come while it goes on, or after it.

    Parameters
    ----------
    method : Method
        For shares of one observation (`Linear` mixing).
    """

    def __init__(self, method: Method[Any]) -> None:
        super().__init__(method)
        self.updates_hints = True

    def starting(self, problem: Problem, previous: State | None, *, device: str, seed: int) -> Stages[State]:
        return self.method.starting(problem, previous, device=device, seed=seed)

    def stages(self, state: State) -> Iterator[Stage | dict[str, Tensor]]:
        return self.method.stages(state)

    def update_hints(self, state: State, hints: Tensor | None) -> None:
        """See `Method.update_hints`: the answer changes at once."""
        state.problem = replace(state.problem, hints=hints)

    def solution(self, state: State) -> Answer:
        from napari_bitsnet.methods.wrappers.marked_areas import give_marked

        answer, hints = self.method.solution(state), state.problem.hints
        if hints is None:
            return answer
        return {**answer, "sources": give_marked(answer["sources"], hints.to(answer["sources"]))}

    def alternatives(self, state: State) -> list[Tensor]:
        """See `Method.alternatives`: none where hints decide."""
        return self.method.alternatives(state) if state.problem.hints is None else []

    def doubtful_below(self, state: State) -> float:
        return self.method.doubtful_below(state)


def with_hints(method: Method[Any], problem: Problem) -> Method[Any] | None:
    """Return a method that looks at hints: itself, or wrapped; None where marks say nothing about shares."""
    if method.updates_hints:
        return method
    if problem.mixing.name == "linear" and problem.n_sources > 1:
        return Obeying(method)
    return None
