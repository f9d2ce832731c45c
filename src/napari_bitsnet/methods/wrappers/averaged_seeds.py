"""Untrained networks from several seeds at once: their answers, brought into one order, are averaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.problem import Problem, State
from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods import Answer, Method
from napari_bitsnet.methods.wrappers.wrapper import Wrapper

if TYPE_CHECKING:
    from torch import Tensor

ROUNDS = 3
"""How often answers are put into the order that agrees best with their mean, which changes with the order."""


@dataclass(kw_only=True)
class SeedsState(State):
    """One state a seed, all advanced by the same number of iterations."""

    members: list[State] = field(default_factory=list)


class AveragedSeeds(Wrapper[SeedsState]):
    """Run a method from `n_seeds` seeds side by side and answer with the mean of what they say.

    What differs from seed to seed is error; the mean has less of it. Where nothing else orders the sources
    (no guides, no hints, no start), each answer first takes the order in which it agrees best with the
    others. Shares of a mixture then get what is missing from their sum in equal parts, so that they add up to
    it.

    Parameters
    ----------
    method : Method
        One whose answer depends on the seed.
    n_seeds : int
        How many, >= 2: seed, seed + 1, …

    Notes
    -----
    This stands in the place of choosing the best seed: of the scores without truth that were tried one tells
    which that is, weakly (how well hidden pixels are predicted), and the seed it chooses was not shown to be
    better than the mean (docs/benchmarks/results.md).

    References
    ----------
    Hansen & Salamon, "Neural network ensembles", IEEE TPAMI 12(10), 1990, doi:10.1109/34.58871.
    """

    def __init__(self, method: Method[Any], n_seeds: int) -> None:
        super().__init__(method)
        self.n_seeds = n_seeds

    def starting(
        self, problem: Problem, previous: SeedsState | None, *, device: str, seed: int
    ) -> Stages[SeedsState]:
        """See `Method.starting`: one seed after the other, each from its own of the slice before.

        Those that have not begun when it is enough are left out.
        """
        members: list[State] = []
        earlier = [None] * self.n_seeds if previous is None else previous.members
        for i, before in enumerate(earlier):
            if members and (yield Stage(f"start of seed {i + 1} of {len(earlier)}")):
                break
            stages = self.method.starting(problem, before, device=device, seed=seed + i)
            members.append((yield from stages))
        state = self._around(members)
        if len(members) < len(earlier):
            state.notices = [
                *state.notices,
                Notice(
                    "seeds", f"Stopped at the start: {len(members)} of {len(earlier)} seeds are averaged."
                ),
            ]
        return state

    def _around(self, members: list[State]) -> SeedsState:
        first = members[0]
        return SeedsState(
            problem=first.problem,
            step=first.step,
            has_start=first.has_start,
            notices=first.notices,
            share=first.share,
            members=members,
        )

    def stages(self, state: SeedsState) -> Iterator[Stage | dict[str, Tensor]]:
        """See `Method.stages`: one seed after the other, and the means of their losses.

        Those that were ahead when a run was left wait for the others.
        """
        import torch

        running = [self.method.stages(member) for member in state.members]
        while True:
            losses: list[dict[str, Tensor]] = []
            for i, (member, steps) in enumerate(zip(state.members, running, strict=True)):
                if i:
                    yield Stage(f"seed {i + 1} of {len(running)}")
                while member.step == state.step:
                    told = next(steps, None)
                    if told is None:
                        return
                    if isinstance(told, Stage):
                        yield told
                    else:
                        losses.append(told)
            state.step = min(member.step for member in state.members)
            yield {name: torch.stack([own[name] for own in losses]).mean(dim=0) for name in losses[0]}

    def update_hints(self, state: SeedsState, hints: Tensor | None) -> None:
        for member in state.members:
            self.method.update_hints(member, hints)
        state.problem = replace(state.problem, hints=hints)

    def doubtful_below(self, state: SeedsState) -> float:
        """See `Method.doubtful_below`: all seeds have the same start."""
        return self.method.doubtful_below(state.members[0])

    def solution(self, state: SeedsState) -> Answer:
        """See `Method.solution`; feature maps, which mean something else in every network, are the first
        seed's."""
        import torch

        answers, problem = [self.method.solution(member) for member in state.members], state.problem
        sources = torch.stack([answer["sources"] for answer in answers])  # (N, K, C, H, W)
        ordered = bool(problem.guides) or problem.hints is not None or state.has_start
        orders = [list(range(sources.shape[1]))] * len(sources) if ordered else agreeing_orders(sources)
        mean = torch.stack([own[order] for own, order in zip(sources, orders, strict=True)]).mean(dim=0)
        if problem.mixing.name == "linear":
            mean = mean + (problem.observations - mean.sum(dim=0, keepdim=True)) / len(mean)
        found = {"sources": mean}
        for name in (name for name in answers[0] if name != "sources"):
            values = [answer[name] for answer in answers]
            if name == "weights":  # (M, K)
                values = [own[:, order] for own, order in zip(values, orders, strict=True)]
            found[name] = values[0] if name == "features" else torch.stack(values).mean(dim=0)
        return found


def agreeing_orders(answers: Tensor) -> list[list[int]]:
    """Return for each answer the order of its sources in which it agrees best with the mean of all.

    Parameters
    ----------
    answers : Tensor of shape (N, K, C, H, W)
        N answers; the first keeps its order.

    Notes
    -----
    Agreement is the inner product of contrasts, ``sum_k <y_k - mean y_k, m_k - mean m_k>``; answers and their
    mean m are brought into agreement in turns, beginning with the first answer as the mean.
    """
    import torch

    contrast = (answers - answers.mean(dim=(-2, -1), keepdim=True)).flatten(2)
    # of every source of every answer with every other, (N, K, N, K)
    products = torch.einsum("nkp,mlp->nkml", contrast, contrast).tolist()
    possible = [list(order) for order in permutations(range(answers.shape[1]))]
    orders = [possible[0]] * len(answers)
    for turn in range(ROUNDS):
        others = [0] if turn == 0 else range(len(answers))
        ranked = [
            [_agreement(products, n, p, others, orders) for p in possible] for n in range(1, len(answers))
        ]
        orders = [possible[0], *(possible[values.index(max(values))] for values in ranked)]
    return orders


def _agreement(
    products: list[list[list[list[float]]]],
    n: int,
    order: Sequence[int],
    others: Sequence[int],
    orders: Sequence[list[int]],
) -> float:
    """How well answer n in an order agrees with others in theirs."""
    return sum(products[n][a][m][b] for m in others if m != n for a, b in zip(order, orders[m], strict=True))
