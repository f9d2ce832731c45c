"""Several mixtures of the same sources: estimate the weights, then invert them. A closed form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Weighted
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.methods import METHODS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_bitsnet.core.solvers.stopping import StoppingRule

LEAST_SCALE = 1e-3  # relative size of a scale below which a source would be all noise


class IcaConfig(BaseConfig):
    """Settings of the method."""

    window: int = setting(
        5,
        "Side of the windows in which sources may differ in strength; larger ones suit coarse, noisy images.",
        ge=3,
        le=63,
        step=2,
        unit="px",
    )


@dataclass
class IcaState(State):
    """The answer, once it is there: sources (K, C, H, W) and weights (M, K)."""

    sources: Tensor | None = None
    weights: Tensor | None = None


@METHODS.register("ica")
class Ica:
    """Independent components: ``I_m = sum_k W_mk t_k`` with W estimated from the mixtures' gradients.

    What the mixing's rule says fixes the sources' scales, which gradients leave open:

    - ``"sum-to-one"``: the weights of each mixture add to one, ``W = A diag(d)`` with ``A d = 1`` in the least-squares
      sense; sources are whole images on the mixtures' scale;
    - ``"free"``: each source is scaled so that its largest absolute value is one;
    - ``"given"``: W is known and only inverted.

    Sources are ``t = W^+ I`` (pseudo-inverse; with more mixtures than sources, least squares).
    """

    name: ClassVar[str] = "ica"
    title: ClassVar[str] = "Independent components"
    summary: ClassVar[str] = "Several mixtures of the same sources: nearly exact, within a second."
    Config: ClassVar[type[BaseConfig]] = IcaConfig
    presets: ClassVar[dict[str, BaseConfig]] = {
        "quick": IcaConfig(),
        "balanced": IcaConfig(),
        "best": IcaConfig(),
    }
    full_resolution: ClassVar[bool] = True

    def __init__(self, config: IcaConfig | None = None) -> None:
        self.config = config or IcaConfig()

    @property
    def iterations(self) -> int:
        """One: a closed form."""
        return 1

    def supports(self, traits: Traits) -> str | None:
        """See `Method.supports`."""
        if traits.mixing != "weighted":
            return "It needs several mixtures of the same sources, there is one image whose sources add up."
        if traits.n_observations < traits.n_sources:
            return (
                f"It needs at least as many mixtures as sources, there are {traits.n_observations} "
                f"mixtures of {traits.n_sources} sources."
            )
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> IcaState:
        """See `Method.start`; nothing is random."""
        return IcaState(problem.to(device))

    def advance(self, state: IcaState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`; ends after one iteration, which yields the mean absolute misfit.

        Raises
        ------
        ValueError
            If the mixtures contradict the rule.
        """
        import torch

        if state.step:
            return
        problem, mixing = state.problem, state.problem.mixing
        assert isinstance(mixing, Weighted)  # see `supports`
        if mixing.rule == "given":
            assert mixing.weights is not None  # see the task
            weights = mixing.weights.double().cpu()
        else:
            weights = torch.from_numpy(self._estimate(problem, mixing.rule))
        sources = torch.einsum(
            "km,mchw->kchw", torch.linalg.pinv(weights).to(problem.observations), problem.observations
        )
        if mixing.rule == "free":
            sources, weights = _to_unit_range(sources, weights, problem.valid)
        state.sources, state.weights = sources, weights.to(sources)
        state.step = 1
        misfit = Weighted(state.weights)(sources) - problem.observations
        yield {"misfit": misfit.abs().mean()}

    def _estimate(self, problem: Problem, rule: str) -> NDArray:
        """Return W (M, K), float64, with the scales that the rule gives."""
        from napari_bitsnet.core.solvers.unmixing import estimate_weights

        weights = estimate_weights(
            problem.observations, problem.n_sources, valid=problem.valid, window=self.config.window
        )
        return scaled_to_one(weights) if rule == "sum-to-one" else weights

    def answer(self, state: IcaState) -> dict[str, Tensor]:
        """See `Method.answer`: ``"sources"`` and ``"weights"``; the mixtures before the first iteration."""
        import torch

        if state.sources is None or state.weights is None:
            k = state.problem.n_sources
            return {
                "sources": state.problem.observations[:k].clone(),
                "weights": torch.eye(
                    len(state.problem.observations), k, device=state.problem.observations.device
                ),
            }
        return {"sources": state.sources, "weights": state.weights}

    def stopping(self) -> StoppingRule | None:
        """Return None: it ends by itself."""
        return None


def scaled_to_one(weights: NDArray) -> NDArray:
    """Scale columns (M, K) so that each row adds to one, as well as it can be done.

    Raises
    ------
    ValueError
        If a source would get no weight: the rows of the true weights do not add to one.
    """
    import numpy as np

    scales = np.linalg.lstsq(weights, np.ones(len(weights)), rcond=None)[0]
    if np.abs(scales).min() < LEAST_SCALE * np.abs(scales).max():
        raise ValueError(
            "Expected mixtures whose weights add to one, got ones in which that leaves a source without any: "
            'say weights="free", or give the weights.'
        )
    return weights * scales


def _to_unit_range(sources: Tensor, weights: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Scale each source (K, C, H, W) to a largest absolute value of one, and its weights (M, K) against it."""
    seen = sources if valid is None else sources * valid
    peaks = seen.abs().amax(dim=(1, 2, 3)).clamp_(min=1e-12)
    return sources / peaks[:, None, None, None], weights * peaks.to(weights)
