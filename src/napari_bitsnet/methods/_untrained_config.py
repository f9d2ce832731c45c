"""Settings of methods that fit untrained generators to one problem."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.methods._generators import check_sizes
from napari_bitsnet.methods._starts import StartName


class UntrainedConfig(BaseConfig):
    """Settings of generators that are fitted to one problem."""

    iterations: int = setting(150, "Steps of Adam.", ge=1, le=100_000, step=100)
    learning_rate: float = setting(0.008, "Step size of Adam.", ge=1e-5, le=0.1, step=0.001)
    start: StartName = setting(
        "auto", "What goes first, for the generators to refine: a closed form, trained weights, or nothing."
    )
    correction: float = setting(
        0.1,
        "Size of the generators' corrections to the start; 0 lets them draw the sources themselves.",
        ge=0,
        le=1,
        step=0.01,
    )
    anchor: float = setting(
        0.1, "Weight that keeps sources near the start, as a mean square.", ge=0, le=1000, step=0.1
    )
    anchor_informed: float = setting(
        100.0, "The same where the start knew guides or several mixtures.", ge=0, le=1000, step=10.0
    )
    exact: bool = setting(
        True, "Shares add up to the mixture exactly and stay within their possible range (linear mixing)."
    )
    alpha_exclusion: float = setting(
        1.0, "Weight of the exclusion loss between sources (alpha 1).", ge=0, le=10, step=0.001
    )
    balanced_exclusion: bool = setting(
        False, "Scale gradients to the same mean before excluding, as Zhang et al. do."
    )
    alpha_hint: float = setting(
        1.0, "Weight of hints: the other sources have no edges there.", ge=0, le=100, step=0.1
    )
    kernel_size: int = setting(3, "Side of the generators' kernels, odd.", ge=1, le=9, step=2, unit="px")
    channels: tuple[float, ...] = setting(
        (8, 16, 32, 64, 128), "Width of each of the generators' scales, finest first."
    )
    skip_channels: tuple[float, ...] = setting(
        (0, 0, 0, 4, 4), "Width of each scale's skip connection, finest first; 0 for none."
    )
    input_channels: int = setting(3, "Channels of a generator's noise input.", ge=1, le=64, step=1)
    input_scale: float = setting(
        0.005, "A generator's noise input is uniform within plus or minus this.", ge=1e-4, le=1, step=0.001
    )
    jitter: bool = setting(True, "Add a little new noise to the generators' inputs in each step.")
    orientations: bool = setting(
        True, "Show the generators their inputs flipped and turned every other step."
    )
    keep: Literal["average", "best", "last"] = setting(
        "average",
        "Which answer is kept: the running average, the one whose remix is nearest to the mixture, the last.",
    )
    decay: float = setting(0.99, "Of the running average, from step to step.", ge=0, le=0.9999, step=0.01)
    early_stopping: bool = setting(
        True, "Stop once the answers' running variance has passed its lowest value."
    )
    window: int = setting(50, "Steps over which that variance is taken.", ge=2, le=1000, step=10)
    patience: int = setting(
        100, "Steps without a new lowest variance before stopping.", ge=1, le=10_000, step=50
    )
    features: bool = setting(False, "Return the generators' second-to-last feature maps as well.")

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        check_sizes(self.kernel_size, self.channels, self.skip_channels)
        return self
