"""The fit that all untrained networks share: generators, their mixing and loss terms, step after step.

An image is explained as the mixing of images that generators draw, or of a closed form's images that they correct. A method
names its generators (`FittedMethod.prepare`), its mixing (`explain`) and its terms (`terms`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from napari_bitsnet.core.problem import Problem, State
from napari_bitsnet.core.stages import Stages, exhaust
from napari_bitsnet.methods import BaseMethod, StoppingRule
from napari_bitsnet.methods.dip.generators import stopping_rule

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_bitsnet.methods.dip.adam import DipFit
    from napari_bitsnet.methods.dip.capture import CapturedCalls


@dataclass(kw_only=True)
class FitState(State):
    """A run of fitted generators.

    Parameters
    ----------
    fit : DipFit
        Generators and optimiser.
    calls : CapturedCalls, optional
        Records and replays the steps on CUDA.
    """

    fit: DipFit
    calls: CapturedCalls[Descent] | None = None


class Drawn(NamedTuple):
    """What the generators' images mean: sources, an opacity or transmission where there is one, and their remix."""

    sources: Tensor
    remix: Tensor
    mask: Tensor | None = None


class Descent(NamedTuple):
    """What one step of Adam saw: loss terms with their total, what was drawn, each generator's finest features."""

    terms: dict[str, Tensor]
    drawn: Drawn
    features: list[Tensor]


F = TypeVar("F", bound=FitState)


class FittedMethod(BaseMethod[F]):
    """Fit untrained generators to one problem with Adam; a method adds generators, mixing and loss terms."""

    full_resolution = False
    seeded = True

    @property
    def iterations(self) -> int:
        """Steps of Adam."""
        return int(self.config.iterations)

    def stopping(self) -> StoppingRule | None:
        """See `Method.stopping`: the running-variance rule, if it is wanted."""
        return stopping_rule(self.config)

    def start(self, problem: Problem, *, device: str, seed: int) -> F:
        """See `Method.start`."""
        return exhaust(self.starting(problem, None, device=device, seed=seed))

    def warm_start(self, problem: Problem, previous: F, *, device: str, seed: int) -> F:
        """See `Method.warm_start`: the networks go on with their weights."""
        return exhaust(self.starting(problem, previous, device=device, seed=seed))

    def starting(self, problem: Problem, previous: F | None, *, device: str, seed: int) -> Stages[F]:
        """See `Method.starting`: the stages of what goes first."""
        import torch

        rng = torch.Generator().manual_seed(seed)
        return (yield from self.prepare(problem.to(device), previous, rng, device=device, seed=seed))

    @abstractmethod
    def prepare(
        self, problem: Problem, previous: F | None, rng: torch.Generator, *, device: str, seed: int
    ) -> Stages[F]:
        """Tell the stages, and return the state before the first step: what goes first, the generators, and further unknowns.

        Parameters
        ----------
        problem : Problem
            On `device`.
        previous : FitState, optional
            Of the slice before in a stack.
        rng : torch.Generator
            On the CPU; draws noise inputs and weights.
        device : str
            As in `Method.start`.
        seed : int
            As in `Method.start`.
        """

    @abstractmethod
    def explain(self, state: F, images: Tensor) -> Drawn:
        """Return what the generators' images (G, C, H, W) mean, and their mixing."""

    @abstractmethod
    def terms(
        self, state: F, drawn: Drawn, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """Return the loss terms, weighted; their sum is minimised."""

    def orientation(self, state: F) -> int:
        """Return the flip or rotation (0 to 7) in which the generators see their inputs: upright."""
        return 0

    def look(self, state: F, orientation: int) -> None:
        """Make what the generators see in this step: their inputs with jitter."""
        from napari_bitsnet.methods.dip.schedules import jitter_at

        jitter = self.config.jitter
        if isinstance(jitter, bool):  # a schedule; else a constant
            jitter = jitter_at(state.step, last=state.step == self.iterations - 1) if jitter else 0.0
        state.fit.look(orientation=orientation, jitter=jitter)

    def before_step(self, state: F, orientation: int) -> None:
        """Do what goes before the generators' step."""

    @abstractmethod
    def after_step(self, state: F, seen: Descent, orientation: int) -> None:
        """Keep the answer, with what was drawn before the generators' step."""

    def advance(self, state: F) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`: a step of Adam and what belongs to it; all but the generators' view is upright."""
        while True:
            orientation = self.orientation(state)
            self.look(state, orientation)
            self.before_step(state, orientation)
            work = partial(self._descend, state, orientation)
            seen = work() if state.calls is None else state.calls(orientation, work)
            self.after_step(state, seen, orientation)
            state.step += 1
            yield seen.terms

    def _descend(self, state: F, orientation: int) -> Descent:
        """Forward, losses, backward, Adam; where it is recorded and replayed nothing in it may wait or draw."""
        import torch

        images, features = state.fit.draw(orientation=orientation)
        drawn = self.explain(state, images)
        terms = self.terms(state, drawn, features, orientation)
        total = torch.stack(list(terms.values())).sum()
        state.fit.descend(total)
        terms = {**{name: term.detach() for name, term in terms.items()}, "total": total.detach()}
        detached = Drawn(*(None if part is None else part.detach() for part in drawn))  # type: ignore[arg-type]
        return Descent(terms, detached, [maps[0].detach() for maps in features])
