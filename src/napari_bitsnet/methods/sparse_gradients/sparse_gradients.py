"""Separate an image by hints on a few edges: a closed form and a few rounds of reweighted least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.operators.poisson import Poisson

BOLDNESS = 1.1
"""Factor on the first estimate, which the regression shrinks towards equal shares."""
DAMPED = 1.2
"""Half waves along the longer side below which the first estimate is damped, because gradient errors add up
there."""


class SparseGradientsConfig(BaseConfig):
    """Settings of the method."""

    size: int = setting(
        96, "Longer side at which edges are compared with the marked ones.", ge=32, le=256, step=16, unit="px"
    )
    n_reweightings: int = setting(
        2, "Rounds of reweighted least squares that assign each edge to one source.", ge=0, le=50, step=1
    )
    power: float = setting(
        1.0,
        "Exponent of the gradient norm; below 1, an edge in one source costs less than a shared edge.",
        ge=0.3,
        le=2,
        step=0.1,
    )
    trust: float = setting(
        0.5, "Weight of the estimated attribution of edges in these rounds.", ge=0, le=4, step=0.1
    )
    obedience: float = setting(
        0.95,
        "Fraction of a marked gradient that goes to the marked source in these rounds.",
        ge=0.5,
        le=1,
        step=0.01,
    )
    softness: float = setting(
        0.02, "Gradients below this value, on the [0, 1] scale, count as flat.", ge=1e-3, le=0.5, step=1e-3
    )
    curvature: float = setting(0.0, "Weight of second derivatives.", ge=0, le=10, step=0.05)
    hold: float = setting(0.1, "Weight of the distance to the first estimate.", ge=1e-4, le=10, step=0.01)


@dataclass(kw_only=True)
class SparseGradientsState(State):
    """First and current estimate (K, C, H, W), and the cost of an edge for each source (K, 1, H, W)."""

    first: Tensor | None = None
    sources: Tensor | None = None
    prices: Tensor | None = None
    poisson: Poisson | None = None


@METHODS.register("sparse_gradients")
class SparseGradients(StagedMethod[SparseGradientsState]):
    """Attribute gradients to sources by marked edges, integrate them, then make the shares' gradients sparse.

    Solves ``min sum_k sum_x c_k ‖∇y_k‖^p`` with ``sum_k y_k = I`` and ``c_k = (1 − P(k))^trust``. P(k) is the
    fraction of the gradient at x that belongs to source k by its similarity to marked edges (`propagate`).
    The iteration starts from ``∇y_k ≈ P(k) ∇I``, because equal shares are a stationary point. With few marks,
    p = 1 scores higher than the paper's p = 0.7, which decides about edges too early; second derivatives have
    no effect on the score.

    References
    ----------
    Levin & Weiss, "User Assisted Separation of Reflections from a Single Image Using a Sparsity Prior", IEEE
    TPAMI 29(9), 2007, doi:10.1109/TPAMI.2007.1106.
    Departure: unmarked gradients get soft labels.
    """

    name = "sparse_gradients"
    title = "Sparse gradients"
    summary = "Separates an image by scribbles on some edges of each source, within a second."
    Config = SparseGradientsConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": SparseGradientsConfig(n_reweightings=0),
        "balanced": SparseGradientsConfig(),
        "best": SparseGradientsConfig(n_reweightings=4),
    }
    cost = Cost(0.05, 3.3, 250)
    config: SparseGradientsConfig
    full_resolution = False
    updates_hints = True

    @property
    def iterations(self) -> int:
        """Return 1 for the first estimate plus the number of rounds."""
        return 1 + self.config.n_reweightings

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing != "linear" or traits.n_observations != 1:
            return "It separates one image whose sources add up; for several mixtures use ica."
        if traits.n_guides:
            return "It cannot use guides: use guided_regression."
        if not traits.has_hints:
            return "It needs hints: scribble on some edges of each source."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> SparseGradientsState:
        """See `Method.start`; nothing is random.

        Raises
        ------
        ValueError
            If there are no hints.
        """
        if problem.hints is None or not bool(problem.hints.any()):
            raise ValueError("Expected hints, got none: scribble on some edges of each source.")
        return SparseGradientsState(problem=problem.to(device))

    def iterating(self, state: SparseGradientsState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: the parts of the first estimate; later rounds are short. Returns the
        energy of the shares."""
        from napari_bitsnet.methods.sparse_gradients.shares import reweighted_step, sparse_energy

        config = self.config
        penalty: dict[str, Any] = {
            "power": config.power,
            "softness": config.softness,
            "curvature": config.curvature,
        }
        if state.sources is None or state.first is None or state.prices is None or state.poisson is None:
            first, state.prices, state.poisson = yield from self._first_answer(state.problem)
            state.first = state.sources = first
        else:
            state.sources = reweighted_step(
                state.sources, state.first, state.prices, state.poisson, hold=config.hold, **penalty
            )
        return {"sparse_gradients": sparse_energy(state.sources, state.prices, **penalty)}

    def update_hints(self, state: SparseGradientsState, hints: Tensor | None) -> None:
        """See `Method`: the problem is solved again; without any hints left, the answer stays."""
        if hints is not None:
            state.problem = replace(state.problem, hints=hints)
            state.first = state.prices = state.poisson = None
            state.step = 0

    def _first_answer(self, problem: Problem) -> Stages[tuple[Tensor, Tensor, Poisson]]:
        """Integrate each source's part of the gradients; prepare the edge costs and the Poisson solver."""
        from napari_bitsnet.core.operators.gradient import gradient
        from napari_bitsnet.core.operators.poisson import Poisson
        from napari_bitsnet.methods.sparse_gradients.propagation import propagate

        assert problem.hints is not None
        mixture, hints, even = problem.observations, problem.hints, 1 / problem.n_sources
        yield Stage("similarity of edges")
        part = propagate(mixture, hints, size=self.config.size)
        yield Stage("integration")
        poisson = Poisson(mixture.shape[-2], mixture.shape[-1], mixture)
        beyond = poisson.integrate((part - even) * gradient(mixture), damped=DAMPED)
        marked = hints.sum(dim=0, keepdim=True)
        told = hints / marked.clamp_min(1e-6)
        told = even + (self.config.obedience - even) / (1 - even) * (told - even)
        prices = (1 - part.lerp(told, marked.clamp(0, 1))).clamp_min(0) ** self.config.trust
        return mixture * even + BOLDNESS * beyond, prices, poisson

    def solution(self, state: SparseGradientsState) -> Answer:
        if state.sources is None:
            shares = state.problem.observations / state.problem.n_sources
            return {"sources": shares.expand(state.problem.n_sources, -1, -1, -1)}
        return {"sources": state.sources}
