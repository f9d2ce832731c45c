"""Noise and missing pixels from groups of similar patches: closed forms, round after round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Noisy
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.methods import METHODS, Answer, BaseMethod, Cost

if TYPE_CHECKING:
    from torch import Tensor

TILE, MARGIN = 512, 32
"""Larger images are worked on in tiles of this side, which see so many pixels around them."""
LEAST_SIGMA = 1e-4
"""Standard deviation of noise, on the [0, 1] scale, below which there is nothing to remove."""
ENOUGH = 3
"""Rounds after which a denoised image hardly changes, or loses texture."""


class NLBayesConfig(BaseConfig):
    """Settings of the method."""

    rounds: int = setting(
        6,
        "Rounds; each takes groups from the last one's answer. Noise alone takes three at most.",
        ge=1,
        le=100,
        step=1,
    )
    side: int = setting(5, "Side of the patches.", ge=3, le=12, step=1, unit="px")
    reach: int = setting(10, "Furthest that similar patches are looked for.", ge=2, le=40, step=1, unit="px")
    count: int = setting(60, "Patches a group.", ge=8, le=400, step=10)
    stride: int = setting(
        2, "Pixels between the patches around which groups are made.", ge=1, le=8, step=1, unit="px"
    )


@dataclass(kw_only=True)
class NLBayesState(State):
    """The image so far (1, C, H, W), and the noise's standard deviation, given or estimated (0 where none is assumed)."""

    image: Tensor
    sigma: float = 0.0


@METHODS.register("nl_bayes")
class NLBayes(BaseMethod[NLBayesState]):
    """``x = m + C (C + N)^-1 (y - m)``: m and C of each group of similar patches, N the variances of noise.

    One Gaussian a group of patches that look alike. Under noise N = sigma² I (NL-Bayes); where pixels are missing
    their variance is huge, and the same formula fills them from what is known in the patch.
    See `core.patches.denoising` and `core.patches.inpainting` for the papers.
    """

    name = "nl_bayes"
    title = "Groups of similar patches"
    summary = "Removes noise or fills missing pixels within seconds from what repeats in the image."
    Config = NLBayesConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": NLBayesConfig(rounds=3, stride=3),
        "balanced": NLBayesConfig(),
        "best": NLBayesConfig(rounds=15, count=80),
    }
    cost = Cost(0.2, 75.0, 2300)
    config: NLBayesConfig

    @property
    def iterations(self) -> int:
        """Rounds."""
        return self.config.rounds

    def unsupported_reason(self, traits: Traits) -> str | None:
        """See `Method.unsupported_reason`."""
        if traits.mixing not in ("noisy", "masked"):
            return "It removes noise or fills missing pixels, and separates nothing."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> NLBayesState:
        """See `Method.start`; nothing is random, missing pixels are interpolated linearly."""
        from napari_bitsnet.core.patches.denoising import estimate_sigma
        from napari_bitsnet.core.patches.inpainting import interpolate_missing

        problem = problem.to("cpu" if device == "mps" else device)  # float64 is missing there
        image = problem.observations
        if isinstance(problem.mixing, Noisy):
            sigma = problem.mixing.sigma
            return NLBayesState(
                problem=problem, image=image, sigma=estimate_sigma(image) if sigma is None else sigma
            )
        if problem.valid is not None:
            image = interpolate_missing(image, problem.valid)
        return NLBayesState(problem=problem, image=image, has_start=True)

    def advance(self, state: NLBayesState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`; yields the mean absolute change, and ends after its rounds."""
        rounds = self.config.rounds
        if isinstance(state.problem.mixing, Noisy):
            rounds = min(rounds, ENOUGH)
        while state.step < rounds:
            before = state.image
            state.image = self._round(state)
            state.step += 1
            yield {"change": (state.image - before).abs().mean()}

    def _round(self, state: NLBayesState) -> Tensor:
        from napari_bitsnet.core.patches.denoising import denoise_patches
        from napari_bitsnet.core.patches.inpainting import inpaint_patches
        from napari_bitsnet.core.tiling import solve_in_tiles

        config, problem = self.config, state.problem
        shape = {"side": config.side, "reach": config.reach, "count": config.count}
        if isinstance(problem.mixing, Noisy):
            if state.sigma < LEAST_SIGMA:
                return state.image
            known = [state.image] if state.step else []

            def denoise(noisy: Tensor, basic: Tensor | None = None) -> Tensor:
                return denoise_patches(noisy, state.sigma, basic, stride=config.stride + 1, **shape)

            return solve_in_tiles(denoise, [problem.observations, *known], side=TILE, margin=MARGIN)
        if problem.valid is None:
            return state.image

        def inpaint(image: Tensor, observed: Tensor, valid: Tensor) -> Tensor:
            return inpaint_patches(image, observed, valid, stride=config.stride, offset=state.step, **shape)

        images = [state.image, problem.observations, problem.valid]
        return solve_in_tiles(inpaint, images, side=TILE, margin=MARGIN)

    def solution(self, state: NLBayesState) -> Answer:
        """See `Method.solution`: one source, the clean image."""
        return {"sources": state.image.clamp(0, 1)}
