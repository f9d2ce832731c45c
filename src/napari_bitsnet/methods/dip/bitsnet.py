"""BITS-Net: two deep image priors with exclusion of edges and deep features, and regularisation by
denoising."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.methods import METHODS, Cost
from napari_bitsnet.methods.dip.settings import UntrainedConfig
from napari_bitsnet.methods.dip.transparency import UntrainedMethod, UntrainedState

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.methods.dip.admm import RedAdmm
    from napari_bitsnet.methods.dip.fit import Descent


class BitsNetConfig(UntrainedConfig):
    """Settings of BITS-Net; the paper's ablations set alpha 1, alpha 2 or lam to 0."""

    alpha_features: float = setting(
        0.001, "Weight of the deep feature separation (alpha 2).", ge=0, le=10, step=0.001
    )
    kappa: tuple[float, ...] = setting(
        (1,), "Layers of the feature separation: 1 is the second-to-last feature map, 2 the next coarser."
    )
    feature_channels: int = setting(
        0, "Feature channels drawn anew for each step; 0 compares all.", ge=0, le=1024, step=1
    )
    squash_features: bool = setting(False, "Pass features through a sigmoid before the feature separation.")
    lam: float = setting(
        0.5, "Weight of regularisation by denoising; 0 leaves it out.", ge=0, le=100, step=0.1
    )
    mu: float = setting(0.5, "ADMM penalty.", ge=1e-4, le=100, step=0.1)
    coupling: float = setting(
        1.0,
        "Factor on the ADMM term of eq. 9; the released code's mean squares make it 2.",
        ge=0,
        le=10,
        step=0.5,
    )
    denoiser: str = setting("nlm", "Denoiser of the regularisation.")
    sigma: float = setting(3 / 255, "Noise level for the denoiser.", ge=0, le=1, step=0.001)
    denoise_every: int = setting(10, "Steps between two uses of the denoiser.", ge=1, le=1000, step=1)
    copy_per_orientation: bool = setting(False, "Keep ADMM variables for each orientation, not one pair.")
    split_start: Literal["first", "zero"] = setting(
        "first", "Start of ADMM's denoised images: the first sources, or zero."
    )

    @model_validator(mode="after")
    def _check_layers(self) -> Self:
        if any(k != int(k) or not 1 <= k <= len(self.channels) for k in self.kappa):
            raise ValueError(f"expected layers from 1 to {len(self.channels)} in kappa, got {self.kappa}")
        if self.denoiser not in DENOISERS.names():
            raise ValueError(
                f"expected a denoiser among {', '.join(DENOISERS.names())}, got {self.denoiser!r}"
            )
        return self


# the published weights, which all presets start from
_PAPER = BitsNetConfig(
    iterations=8000,
    learning_rate=0.008,
    start="none",
    correction=0,
    anchor=0,
    exact=False,
    alpha_exclusion=0.01,
    alpha_features=0.001,
    lam=0.5,
    mu=0.5,
    kernel_size=5,
    denoise_every=1,
    keep="last",
    early_stopping=False,
)
# what the released code does where it departs from the paper
_OFFICIAL = {
    "feature_channels": 3,
    "squash_features": True,
    "coupling": 2.0,
    "denoise_every": 10,
    "copy_per_orientation": True,
    "split_start": "zero",
    "keep": "best",
}


@METHODS.register("bitsnet")
class BitsNet(UntrainedMethod):
    """``min_Theta L1(I, sum y_k) + alpha_1 Excl(y) + alpha_2 Feat(phi) + lam sum rho(y_k)``, eq. 7.

    References
    ----------
    Zhou, Lyu & Rodrigues, "BITS-Net: Blind Image Transparency Separation Network", ICIP 2023.
    """

    name = "bitsnet"
    title = "BITS-Net"
    summary = "Untrained networks refine the best available start, with or without guides and hints."
    Config = BitsNetConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": BitsNetConfig(iterations=50),
        "balanced": BitsNetConfig(),
        "best": BitsNetConfig(iterations=600),
        "paper": _PAPER,
        "official": _PAPER.updated(_OFFICIAL),
    }
    cost = Cost(1.5, 1.4, 1500)
    config: BitsNetConfig

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing not in ("linear", "weighted"):
            return f"BITS-Net needs sources that add up or are weighted, got {traits.mixing} mixing."
        return None

    def split_variables(self, first: Tensor) -> RedAdmm | None:
        """Return the ADMM variables, or None without regularisation by denoising."""
        import torch

        from napari_bitsnet.methods.dip.admm import RedAdmm

        config = self.config
        if not config.lam:
            return None
        return RedAdmm(
            torch.zeros_like(first) if config.split_start == "zero" else first,
            DENOISERS.get(config.denoiser),
            lam=config.lam,
            mu=config.mu,
            sigma=config.sigma,
            every=config.denoise_every,
            n_copies=8 if config.copy_per_orientation else 1,
        )

    def before_step(self, state: UntrainedState, orientation: int) -> None:
        """Draw the feature channels to compare, and denoise if it is time."""
        from napari_bitsnet.core.losses.features import draw_channels

        config, fit = self.config, state.fit
        if config.alpha_features and config.feature_channels:
            widths = [int(config.channels[int(k) - 1]) for k in config.kappa]
            drawn = draw_channels(widths, state.problem.n_sources, config.feature_channels, fit.rng)
            state.channels = state.channels or drawn
            for held, new in zip(chain(*state.channels), chain(*drawn), strict=True):
                held.copy_(new)  # in place, as recorded steps need
        if state.admm is not None:
            state.admm.refresh(state.step, orientation if config.copy_per_orientation else 0)

    def own_terms(
        self, state: UntrainedState, sources: Tensor, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """Return deep feature separation (eq. 4) and the coupling to the denoised images (eq. 9)."""
        from napari_bitsnet.core.losses.features import feature_exclusion_loss

        config, terms = self.config, {}
        if config.alpha_features:
            terms["features"] = config.alpha_features * feature_exclusion_loss(
                features,
                kappa=[int(k) - 1 for k in config.kappa],
                squash=config.squash_features,
                channels=state.channels,
            )
        if state.admm is not None:
            copy = orientation if config.copy_per_orientation else 0
            coupling = state.admm.coupling(sources, copy, state.problem.valid)
            terms["coupling"] = config.coupling * coupling
        return terms

    def after_step(self, state: UntrainedState, seen: Descent, orientation: int) -> None:
        """Apply eqs. 10 and 11 with the images before the generators' step."""
        if state.admm is not None:
            copy = orientation if self.config.copy_per_orientation else 0
            state.admm.update(seen.drawn.sources.clamp(0, 1), state.step, copy)
        super().after_step(state, seen, orientation)
