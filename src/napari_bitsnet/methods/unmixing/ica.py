"""Separate several mixtures of the same sources in closed form: estimate and invert the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Weighted
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages, telling
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

NOISY = 0.08  # noise of a source relative to its contrast; above it the sources are denoised
LEAST_SIZE = 16  # pixels a side; smaller images have too few patches to compare
LEAST_TESTED = 64  # pixels a side; smaller images have too few blocks to test what the mixtures went through
LEAST_SCALE = 1e-3  # relative scale below which a source would only be noise


class IcaConfig(BaseConfig):
    """Settings of the method."""

    window: int = setting(
        5,
        "Side of the windows in which gradients are compared; larger windows suit coarse, noisy images.",
        ge=3,
        le=63,
        step=2,
        unit="px",
    )
    rounds: int = setting(
        2,
        "Rounds of joint denoising of all sources, used if the mixtures are noisy; 0 turns it off.",
        ge=0,
        le=5,
        step=1,
    )
    shading: bool = setting(
        True,
        "Remove a smooth shading of each mixture, such as vignetting, where it explains held-out parts of "
        "the images better.",
    )
    nonnegative: bool = setting(
        False,
        "Free weights: subtract one source from another only until that one would become darker than the "
        "images' common background; for stains of the same structures.",
    )
    noise: float | None = setting(
        None,
        "Standard deviation of each mixture's noise, on the [0, 1] scale; none estimates it.",
        ge=0,
        le=1,
        step=0.005,
    )


@dataclass
class IcaState(State):
    """Estimated sources (K, C, H, W) and weights (M, K); None before the first iteration.

    `shading` (M, 1, H, W) is a smooth factor of each mixture by which those of `problem` have been divided;
    None if it is even.
    """

    sources: Tensor | None = None
    weights: Tensor | None = None
    shading: Tensor | None = None


@METHODS.register("ica")
class Ica(StagedMethod[IcaState]):
    """Independent components: ``I_m = sum_k W_mk t_k`` with W estimated from the mixtures' gradients.

    The gradients do not determine the sources' scales. The rule of the mixing does:

    - ``"sum-to-one"``: the weights of each mixture add to one, ``W = A diag(d)`` with ``A d = 1`` in the
      least-squares sense; sources are whole images on the mixtures' scale;
    - ``"free"``: each source is scaled so that its largest absolute value is one; images with a common dark
      background are corrected by `without_negatives`;
    - ``"given"``: W is known and only inverted.

    Sources are ``t = W^+ I`` (pseudo-inverse; least squares if there are more mixtures than sources). Nearly
    equal weights amplify noise by a factor of ten and more. If the noise is visible, the sources are denoised
    together with its covariance ``sigma**2 (W^T W)^-1`` (see `denoising_jointly`).
    """

    name = "ica"
    title = "Independent components"
    summary = "Separates several mixtures of the same sources, nearly exactly, within seconds."
    Config = IcaConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": IcaConfig(rounds=1),
        "balanced": IcaConfig(),
        "best": IcaConfig(rounds=3),
    }
    cost = Cost(0.4, 3.3, 200)
    config: IcaConfig

    @property
    def iterations(self) -> int:
        """Return 1 for the unmixing plus the number of denoising rounds."""
        return 1 + self.config.rounds

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing != "weighted":
            return "It needs several mixtures of the same sources, got one image whose sources add up."
        if traits.n_observations < traits.n_sources:
            return (
                f"It needs at least as many mixtures as sources, got {traits.n_observations} "
                f"mixtures of {traits.n_sources} sources."
            )
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> IcaState:
        """See `Method.start`; nothing is random."""
        return IcaState(problem.to(device))

    def iterating(self, state: IcaState) -> Stages[dict[str, Tensor] | None]:
        """See `StagedMethod.iterating`: the weights at each smoothing, then parts of a round of denoising;
        returns the mean absolute misfit.

        Raises
        ------
        ValueError
            If the mixtures contradict the rule of the mixing.
        """
        if state.sources is None:
            yield from self._unmixing(state)
        else:
            following = yield from self._denoising(state)
            if following is None:
                return None
            state.sources = following
        assert state.sources is not None
        assert state.weights is not None
        misfit = Weighted(state.weights)(state.sources) - state.problem.observations
        return {"misfit": misfit.abs().mean()}

    def _unmixing(self, state: IcaState) -> Stages[None]:
        """Estimate the weights and invert them."""
        import torch

        problem, mixing = state.problem, state.problem.mixing
        assert isinstance(mixing, Weighted)  # see `unsupported_reason`
        if mixing.rule == "given":
            assert mixing.weights is not None  # see the task
            weights = mixing.weights.double().cpu()
        else:
            weights = torch.from_numpy((yield from self._estimating(state, mixing)))
            problem = state.problem
        sources = torch.einsum(
            "km,mchw->kchw", torch.linalg.pinv(weights).to(problem.observations), problem.observations
        )
        if mixing.rule == "free":
            sources, weights = _to_unit_range(sources, weights, problem.valid)
        state.sources, state.weights = sources, weights.to(sources)

    def _denoising(self, state: IcaState) -> Stages[Tensor | None]:
        """Return the sources after one more round of denoising, or None if the noise is negligible."""
        from napari_bitsnet.methods.unmixing.joint_denoising import denoising_jointly
        from napari_bitsnet.methods.unmixing.weights import noise_variance

        problem = state.problem
        assert state.weights is not None
        sigma = self.config.noise
        if sigma is None:
            sigma = noise_variance(problem.observations, valid=problem.valid) ** 0.5
        if state.step == 1 and self._is_quiet(state, sigma):
            return None
        earlier = state.sources if state.step > 1 else None
        work = denoising_jointly(problem.observations, state.weights, sigma, earlier)
        words = f"denoising, round {state.step} of {self.config.rounds}"
        return (yield from telling(work, lambda part: Stage(f"{words}, {part.done:.0%}")))

    def _is_quiet(self, state: IcaState, sigma: float) -> bool:
        """Return True if the noise of all sources is weak relative to their contrast, or images are small."""
        import torch

        assert state.sources is not None
        assert state.weights is not None
        if sigma == 0 or min(state.sources.shape[-2:]) < LEAST_SIZE:
            return True
        noise = sigma * torch.linalg.pinv(state.weights.double()).norm(dim=1)
        contrast = state.sources.double().std(dim=(-2, -1)).mean(dim=1)
        return bool((noise < NOISY * contrast).all())

    def _estimating(self, state: IcaState, mixing: Weighted) -> Stages[NDArray]:
        """Return W (M, K), float64, with the scales that the rule sets; mixtures with a shading are freed of
        it first."""
        from napari_bitsnet.methods.unmixing.finest_scale import least_smoothing
        from napari_bitsnet.methods.unmixing.nonnegative import without_negatives
        from napari_bitsnet.methods.unmixing.shading import estimate_shading
        from napari_bitsnet.methods.unmixing.weights import estimating_weights

        window, seen = self.config.window, mixing.unclipped(state.problem.valid)
        seen = None if seen is None else seen.to(state.problem.observations.device)
        problem = state.problem
        if seen is not None:  # else smoothing would spread clipped values into their neighbours
            problem = replace(problem, observations=filled(problem.observations, seen))
        size, smoothing = min(problem.observations.shape[-2:]), 0.0
        if size >= LEAST_TESTED:
            yield Stage("whether fine details were compressed")
            smoothing = least_smoothing(problem.observations, problem.n_sources, valid=seen, window=window)
        if self.config.shading and size >= LEAST_TESTED:
            yield Stage("whether mixtures are shaded")
            state.shading = estimate_shading(
                problem.observations, problem.n_sources, valid=seen, window=window, smoothing=smoothing
            )
        even = problem.observations
        if state.shading is not None:
            even = even / state.shading
            state.problem = replace(state.problem, observations=state.problem.observations / state.shading)
            state.notices.append(shading_notice(state.shading))
        weights = yield from estimating_weights(
            even, problem.n_sources, valid=seen, window=window, least_smoothing=smoothing
        )
        if mixing.rule == "sum-to-one":
            return scaled_to_one(weights)
        return without_negatives(weights, even, valid=seen) if self.config.nonnegative else weights

    def solution(self, state: IcaState) -> Answer:
        """See `Method.solution`: ``"sources"``, ``"weights"`` and, if the mixtures are shaded, ``"shading"``
        (M, 1, H, W); at the start, the first K mixtures."""
        import torch

        if state.sources is None or state.weights is None:
            k = state.problem.n_sources
            return {
                "sources": state.problem.observations[:k].clone(),
                "weights": torch.eye(
                    len(state.problem.observations), k, device=state.problem.observations.device
                ),
            }
        found = {"sources": state.sources, "weights": state.weights}
        return found if state.shading is None else found | {"shading": state.shading}


def filled(images: Tensor, seen: Tensor) -> Tensor:
    """Give pixels of images (M, C, H, W) that are not seen (1, 1, H, W) the values of their nearest
    neighbours that are."""
    from napari_bitsnet.core.operators.nearest import nearest_valid

    rows, columns = nearest_valid(~seen[0, 0].cpu().numpy())
    return images[:, :, rows, columns]


def shading_notice(shading: Tensor) -> Notice:
    """Say how strong the shading (M, 1, H, W) of each mixture is."""
    least = [float(each.min() / each.max()) for each in shading]
    numbers = {f"least{m}": value for m, value in enumerate(least, 1)}
    parts = " and ".join(f"mixture {m} {{least{m}:.0%}}" for m in range(1, len(least) + 1))
    return Notice(
        "shading",
        f"The mixtures are shaded differently (darkest relative to the brightest place: {parts}); this was "
        "removed before the work. A shading that all of them share stays in the sources.",
        "shading=false among the method's settings leaves them.",
        numbers,
    )


def scaled_to_one(weights: NDArray) -> NDArray:
    """Scale columns (M, K) so that each row adds to one, in the least-squares sense.

    Raises
    ------
    ValueError
        If a source would get no weight, because the rows of the true weights do not add to one.
    """
    import numpy as np

    scales = np.linalg.lstsq(weights, np.ones(len(weights)), rcond=None)[0]
    if np.abs(scales).min() < LEAST_SCALE * np.abs(scales).max():
        raise ValueError(
            "Expected mixtures whose weights add to one, got mixtures in which a source has no weight then: "
            'set weights="free", or give the weights.'
        )
    return weights * scales


def _to_unit_range(sources: Tensor, weights: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Scale each source (K, C, H, W) to a largest absolute value of 1, and its weights (M, K) inversely."""
    seen = sources if valid is None else sources * valid
    peaks = seen.abs().amax(dim=(1, 2, 3)).clamp_(min=1e-12)
    return sources / peaks[:, None, None, None], weights * peaks.to(weights)
