"""Remove noise and fill missing pixels by groups of similar patches, in rounds of closed forms."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Noisy
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Partial, Stage, Stages, telling
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod

if TYPE_CHECKING:
    from torch import Tensor

TILE, MARGIN = 512, 32
"""Side of the tiles into which larger images are divided, and the margin around each tile, in pixels."""
LEAST_SIGMA = 1e-4
"""Standard deviation, on the [0, 1] scale, below which noise is not removed."""
ENOUGH = 3
"""Largest number of denoising rounds: later ones change little, or remove texture."""


class NLBayesConfig(BaseConfig):
    """Settings of the method."""

    rounds: int = setting(
        6,
        "Number of rounds; each groups patches of the previous estimate. Noise alone takes three at most.",
        ge=1,
        le=100,
        step=1,
    )
    side: int = setting(5, "Side of the patches.", ge=3, le=12, step=1, unit="px")
    reach: int = setting(
        10, "Largest distance at which similar patches are searched for.", ge=2, le=40, step=1, unit="px"
    )
    count: int = setting(60, "Number of patches per group.", ge=8, le=400, step=10)
    stride: int = setting(
        2, "Distance between the reference patches of the groups.", ge=1, le=8, step=1, unit="px"
    )


@dataclass(kw_only=True)
class NLBayesState(State):
    """Current image (1, C, H, W), and the noise's standard deviation, given or estimated (0 for none).

    `partial` is an image of which a part is done, in the first round under noise, where there is no better
    one.
    """

    image: Tensor
    sigma: float = 0.0
    partial: Partial | None = None


@METHODS.register("nl_bayes")
class NLBayes(StagedMethod[NLBayesState]):
    """Estimate ``x = m + C (C + N)^-1 (y - m)`` with mean m, covariance C of each group of similar patches.

    Each group is modelled by one Gaussian; N holds the noise variances. Under white noise N = sigma² I
    (NL-Bayes). Missing pixels have a very large variance, so the same formula fills them from the known
    pixels of the patch. See `core.patches.denoising` and `core.patches.inpainting` for the papers.
    """

    name = "nl_bayes"
    title = "Groups of similar patches"
    summary = "Removes noise or fills missing pixels by groups of similar patches, within seconds."
    Config = NLBayesConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": NLBayesConfig(rounds=3, stride=3),
        "balanced": NLBayesConfig(),
        "best": NLBayesConfig(rounds=15, count=80),
    }
    cost = Cost(0.2, 11.0, 2300)
    config: NLBayesConfig

    @property
    def iterations(self) -> int:
        """Rounds."""
        return self.config.rounds

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing not in ("noisy", "masked"):
            return "It removes noise or fills missing pixels; it does not separate sources."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> NLBayesState:
        """See `Method.start`; nothing is random, missing pixels are interpolated linearly."""
        from napari_bitsnet.core.patches.denoising import estimate_sigma
        from napari_bitsnet.core.patches.inpainting import interpolate_missing

        problem = problem.to("cpu" if device == "mps" else device)  # MPS has no float64
        image = problem.observations
        if isinstance(problem.mixing, Noisy):
            sigma = problem.mixing.sigma
            return NLBayesState(
                problem=problem, image=image, sigma=estimate_sigma(image) if sigma is None else sigma
            )
        if problem.valid is not None:
            image = interpolate_missing(image, problem.valid)
        return NLBayesState(problem=problem, image=image, has_start=True)

    def iterating(self, state: NLBayesState) -> Stages[dict[str, Tensor] | None]:
        """See `StagedMethod.iterating`: parts of a round; in the first one what is done so far is the answer.
        Returns the mean absolute change."""
        rounds = self.config.rounds
        if isinstance(state.problem.mixing, Noisy):
            rounds = min(rounds, ENOUGH)
        if state.step >= rounds:
            return None
        before = state.image
        state.image, state.partial = (yield from self._round(state, rounds)), None
        return {"change": (state.image - before).abs().mean()}

    def _round(self, state: NLBayesState, rounds: int) -> Stages[Tensor]:
        from napari_bitsnet.core.patches.denoising import denoising_patches
        from napari_bitsnet.core.patches.inpainting import inpainting_patches
        from napari_bitsnet.core.tiling import solving_in_tiles

        config, problem = self.config, state.problem
        shape = {"side": config.side, "reach": config.reach, "count": config.count}
        if isinstance(problem.mixing, Noisy):
            if state.sigma < LEAST_SIGMA:
                return state.image
            known = [state.image] if state.step else []

            def denoise(noisy: Tensor, basic: Tensor | None = None) -> Generator[Partial, None, Tensor]:
                return denoising_patches(noisy, state.sigma, basic, stride=config.stride + 1, **shape)

            images = [problem.observations, *known]
            work = solving_in_tiles(denoise, images, state.image, side=TILE, margin=MARGIN)
            return (yield from self._told(state, work, rounds))
        if problem.valid is None:
            return state.image

        def inpaint(image: Tensor, observed: Tensor, valid: Tensor) -> Generator[Partial, None, Tensor]:
            return inpainting_patches(
                image, observed, valid, stride=config.stride, offset=state.step, **shape
            )

        images = [state.image, problem.observations, problem.valid]
        work = solving_in_tiles(inpaint, images, state.image, side=TILE, margin=MARGIN)
        return (yield from self._told(state, work, rounds))

    def _told(
        self, state: NLBayesState, work: Generator[Partial, None, Tensor], rounds: int
    ) -> Stages[Tensor]:
        """Tell how far a round is; in the first one under noise the part that is done is kept."""
        first = state.step == 0 and isinstance(state.problem.mixing, Noisy)

        def keep(part: Partial) -> Stage:
            if first and part.done > 0:
                state.partial, state.has_start = part, True
            return Stage(f"round {state.step + 1} of {rounds}, {part.done:.0%}", better=state.partial is part)

        return telling(work, keep)

    def solution(self, state: NLBayesState) -> Answer:
        """See `Method.solution`: ``"sources"`` is the clean image."""
        image = state.image if state.partial is None else state.partial.image()
        return {"sources": image.clamp(0, 1)}
