"""Any method on images of any size: separate at a limit, bring back with the observations as guide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.problem import Problem, State
from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods import Answer, Method
from napari_bitsnet.methods.wrappers.wrapper import Wrapper

if TYPE_CHECKING:
    from torch import Tensor

RADIUS = 8
"""Radius, in pixels of the working size, of the windows in which sources are linear in the observations."""
EPSILON = 1e-4
"""Ridge of that fit: contrasts of the observations below 1 % are smoothed."""


@dataclass(kw_only=True)
class WorkingState(State):
    """The wrapped method's state, at the working size; `problem` is the one at full resolution."""

    inner: State


class WorkingSize(Wrapper[WorkingState]):
    """A method that sees images no longer than `limit` pixels a side.

    Sources come back as ``y_k = a_k · I + b_k + (what the working size knows beyond that)``, with a and b
    fitted in windows at the working size and interpolated: fine detail of the observations goes to the
    sources as coarse structure does around it, and there are no seams. What is then missing from the sum of
    shares is spread evenly over the sources, so that they add up to the observation as exactly as the
    method's did.

    Parameters
    ----------
    method : Method
        What solves the problem at the working size.
    limit : int
        Longer side in pixels; smaller problems go straight through.

    References
    ----------
    He & Sun, "Fast Guided Filter", 2015, arXiv:1505.00996.
    """

    def __init__(self, method: Method[Any], limit: int) -> None:
        super().__init__(method)
        self.limit, self.full_resolution = limit, True

    def stopping(self) -> None:
        """None: `stages` itself asks the wrapped method's rule, at the working size, where it is cheap."""

    def starting(
        self, problem: Problem, previous: WorkingState | None, *, device: str, seed: int
    ) -> Stages[WorkingState]:
        before = None if previous is None else previous.inner
        inner = yield from self.method.starting(self._small(problem), before, device=device, seed=seed)
        return self._around(inner, problem)

    def _small(self, problem: Problem) -> Problem:
        """The problem at the working size."""
        height, width = problem.observations.shape[-2:]
        factor = self.limit / max(height, width)
        if factor >= 1:
            return problem
        size = (max(2, round(height * factor)), max(2, round(width * factor)))
        return problem.map_images(lambda images: _resize(images, size))

    def _around(self, inner: State, problem: Problem) -> WorkingState:
        return WorkingState(
            problem=problem,
            step=inner.step,
            has_start=inner.has_start,
            notices=inner.notices,
            share=inner.share,
            inner=inner,
        )

    def stages(self, state: WorkingState) -> Iterator[Stage | dict[str, Tensor]]:
        """See `Method.stages`; ends when the wrapped method's stopping rule says so."""
        rule = self.method.stopping()
        for losses in self.method.stages(state.inner):
            state.has_start = state.inner.has_start
            if isinstance(losses, Stage):
                yield losses
                continue
            state.step = state.inner.step
            yield losses
            if rule is not None and rule.update(self.method.solution(state.inner)["sources"]):
                return

    def doubtful_below(self, state: WorkingState) -> float:
        return self.method.doubtful_below(state.inner)

    def update_hints(self, state: WorkingState, hints: Tensor | None) -> None:
        """See `Method.update_hints`: the wrapped method gets them at the working size."""
        height, width = state.inner.problem.observations.shape[-2:]
        size = (height, width)
        small = hints if hints is None or size == tuple(hints.shape[-2:]) else _resize(hints, size)
        self.method.update_hints(state.inner, small)
        state.problem, state.step = replace(state.problem, hints=hints), state.inner.step

    def solution(self, state: WorkingState) -> Answer:
        """See `Method.solution`, at full resolution."""
        answer = self.method.solution(state.inner)
        small, full = state.inner.problem, state.problem
        size = (full.observations.shape[-2], full.observations.shape[-1])
        if size == tuple(small.observations.shape[-2:]):
            return answer
        brought = {
            name: _resize(value, size) if value.ndim == 4 and name != "sources" else value
            for name, value in answer.items()
        }
        brought["sources"] = bring_back(answer["sources"], small.observations, full.observations)
        if full.mixing.name == "linear":
            missing = full.observations - brought["sources"].sum(dim=0, keepdim=True)
            known = small.observations - answer["sources"].sum(dim=0, keepdim=True)
            brought["sources"] = brought["sources"] + (missing - _resize(known, size)) / full.n_sources
        if "unexplained" in answer:
            brought["unexplained"] = full.observations - brought["explained"].sum(dim=0, keepdim=True)
        return brought


def bring_back(sources: Tensor, small: Tensor, full: Tensor) -> Tensor:
    """Interpolate sources to the size of the observations, with these as guide.

    Parameters
    ----------
    sources : Tensor of shape (K, C, h, w)
        At the working size.
    small : Tensor of shape (M, C, h, w)
        The observations at the working size.
    full : Tensor of shape (M, C, H, W)
        The observations.

    Returns
    -------
    Tensor of shape (K, C, H, W)
        float32.
    """
    from napari_bitsnet.core.guided_filter import apply_coefficients, linear_coefficients

    size = (full.shape[-2], full.shape[-1])
    guide = small.flatten(0, 1)[None]
    target = sources.flatten(0, 1)[None]
    a, b = linear_coefficients(guide, target, radius=RADIUS, epsilon=EPSILON)
    beyond = target - apply_coefficients(a, b, guide)
    wide = apply_coefficients(_resize(a, size), _resize(b + beyond, size), full.flatten(0, 1)[None])
    return wide[0].unflatten(0, tuple(sources.shape[:2])).to(sources.dtype)


def _resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Interpolate linearly; smaller sizes are averaged over what a pixel covers."""
    from torch.nn import functional as F

    return F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
