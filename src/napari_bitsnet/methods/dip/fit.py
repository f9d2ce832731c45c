"""The fit that all untrained methods share: generators, their mixing and their loss terms, step by step.

An image is explained as the mixing of generated images, or of images of a closed form with generated
corrections. A method names its generators (`FittedMethod.prepare`), its mixing (`explain`) and its terms
(`terms`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from napari_bitsnet.core.problem import Problem, State
from napari_bitsnet.core.stages import Stages
from napari_bitsnet.methods import StagedStart, StoppingRule
from napari_bitsnet.methods.dip.generators import stopping_rule

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_bitsnet.methods.dip.adam import DipFit
    from napari_bitsnet.methods.dip.capture import CapturedCalls


@dataclass(kw_only=True)
class FitState(State):
    """State of a run of fitted generators.

    Parameters
    ----------
    fit : DipFit
        Generators and optimiser.
    calls : CapturedCalls, optional
        Recorder of the steps on CUDA.
    """

    fit: DipFit
    calls: CapturedCalls[Descent] | None = None


class Drawn(NamedTuple):
    """Sources, an opacity or transmission if there is one, and the remix, from the images of the
    generators."""

    sources: Tensor
    remix: Tensor
    mask: Tensor | None = None


class Descent(NamedTuple):
    """Loss terms with their total, generated images, and the finest features of each generator, of one step
    of Adam."""

    terms: dict[str, Tensor]
    drawn: Drawn
    features: list[Tensor]


F = TypeVar("F", bound=FitState)


class FittedMethod(StagedStart[F]):
    """Fit untrained generators to one problem with Adam; a method adds generators, mixing and loss terms."""

    full_resolution = False
    seeded = True

    @property
    def iterations(self) -> int:
        """Return the number of steps of Adam."""
        return int(self.config.iterations)

    def stopping(self) -> StoppingRule | None:
        """See `Method.stopping`: the running-variance rule, if it is enabled."""
        return stopping_rule(self.config)

    def starting(self, problem: Problem, previous: F | None, *, device: str, seed: int) -> Stages[F]:
        """See `Method.starting`: the stages of the start; networks continue with their weights."""
        import torch

        rng = torch.Generator().manual_seed(seed)
        return (yield from self.prepare(problem.to(device), previous, rng, device=device, seed=seed))

    @abstractmethod
    def prepare(
        self, problem: Problem, previous: F | None, rng: torch.Generator, *, device: str, seed: int
    ) -> Stages[F]:
        """Yield the stages, and return the state before the first step: the start, the generators and further
        unknowns.

        Parameters
        ----------
        problem : Problem
            Problem on `device`.
        previous : FitState, optional
            State of the previous slice in a stack.
        rng : torch.Generator
            Generator of noise inputs and weights, on the CPU.
        device : str
            As in `Method.start`.
        seed : int
            As in `Method.start`.
        """

    @abstractmethod
    def explain(self, state: F, images: Tensor) -> Drawn:
        """Return sources and remix from the images (G, C, H, W) of the generators."""

    @abstractmethod
    def terms(
        self, state: F, drawn: Drawn, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """Return the weighted loss terms; their sum is minimised."""

    def orientation(self, state: F) -> int:
        """Return the orientation (0 to 7) in which the generators see their inputs: upright."""
        return 0

    def look(self, state: F, orientation: int) -> None:
        """Prepare the inputs of the generators for this step, with jitter."""
        from napari_bitsnet.methods.dip.schedules import jitter_at

        jitter = self.config.jitter
        if isinstance(jitter, bool):  # a schedule; else a constant
            jitter = jitter_at(state.step, last=state.step == self.iterations - 1) if jitter else 0.0
        state.fit.look(orientation=orientation, jitter=jitter)

    def before_step(self, state: F, orientation: int) -> None:
        """Prepare the step of the generators."""

    @abstractmethod
    def after_step(self, state: F, seen: Descent, orientation: int) -> None:
        """Update the answer with the images from before the generators' step."""

    def advance(self, state: F) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`: one step of Adam; everything except the inputs of the generators is
        upright."""
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
        """Do the forward pass, losses, backward pass and Adam; recorded steps must not wait or draw random
        numbers."""
        import torch

        images, features = state.fit.draw(orientation=orientation)
        drawn = self.explain(state, images)
        terms = self.terms(state, drawn, features, orientation)
        total = torch.stack(list(terms.values())).sum()
        state.fit.descend(total)
        terms = {**{name: term.detach() for name, term in terms.items()}, "total": total.detach()}
        detached = Drawn(*(None if part is None else part.detach() for part in drawn))  # type: ignore[arg-type]
        return Descent(terms, detached, [maps[0].detach() for maps in features])
