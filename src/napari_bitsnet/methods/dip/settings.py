"""Settings of methods that fit untrained networks to one problem; settings of several methods are declared
once."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.methods.dip.generators import check_sizes
from napari_bitsnet.methods.dip.starts import StartName

# Functions rather than a common base class, whose fields would stand before a method's own in every form.


def adam_steps(default: int, *, step: int = 20) -> Any:
    """Declare ``iterations``."""
    return setting(default, "Steps of Adam.", ge=1, le=100_000, step=step)


def adam_rate(default: float) -> Any:
    """Declare ``learning_rate``."""
    return setting(default, "Step size of Adam.", ge=1e-5, le=0.1, step=0.001)


def kernel_side(whose: str) -> Any:
    """Declare ``kernel_size``."""
    return setting(3, f"Side of the {whose} kernels, odd.", ge=1, le=9, step=2, unit="px")


def widths(whose: str) -> Any:
    """Declare ``channels``."""
    return setting((8, 16, 32, 64, 128), f"Width of each of the {whose} scales, finest first.")


def skip_widths() -> Any:
    """Declare ``skip_channels``."""
    return setting((0, 0, 0, 4, 4), "Width of each scale's skip connection, finest first; 0 for none.")


def noise_channels(default: int, description: str = "Channels of the noise input without a start.") -> Any:
    """Declare ``input_channels``."""
    return setting(default, description, ge=1, le=64, step=1)


def noise_scale(default: float) -> Any:
    """Declare ``input_scale``."""
    return setting(default, "Half width of the uniform noise input.", ge=1e-4, le=1, step=0.01)


def noise_jitter(what: str) -> Any:
    """Declare ``jitter`` as a number."""
    return setting(
        0.0, f"Standard deviation of new noise added to the {what} in each step.", ge=0, le=1, step=0.01
    )


def running_average(default: float, description: str) -> Any:
    """Declare ``decay``."""
    return setting(default, description, ge=0, le=0.9999, step=0.01)


def stops_early() -> Any:
    """Declare ``early_stopping``."""
    return setting(True, "Stop once the answers' running variance has passed its lowest value.")


def variance_window(default: int = 50) -> Any:
    """Declare ``window``."""
    return setting(default, "Steps of the variance in early stopping.", ge=2, le=1000, step=10)


def variance_patience(default: int = 100) -> Any:
    """Declare ``patience``."""
    return setting(
        default, "Steps without a new lowest variance before the run stops.", ge=1, le=10_000, step=50
    )


def network_check() -> Any:
    """Return a validator of kernel size and widths."""

    def check(config: Any) -> Any:
        check_sizes(config.kernel_size, config.channels, config.skip_channels)
        return config

    return model_validator(mode="after")(check)


class UntrainedConfig(BaseConfig):
    """Settings of generators that are fitted to one problem."""

    iterations: int = adam_steps(150, step=100)
    learning_rate: float = adam_rate(0.008)
    start: StartName = setting(
        "auto", "Method that initialises the generators: a closed form, trained weights, or none."
    )
    correction: float = setting(
        0.1,
        "Size of the generators' corrections to the start; with 0 they generate the sources themselves.",
        ge=0,
        le=1,
        step=0.01,
    )
    anchor: float = setting(
        0.1, "Weight that keeps sources near the start, as a mean square.", ge=0, le=1000, step=0.1
    )
    anchor_informed: float = setting(
        100.0, "The same weight for starts with guides or several mixtures.", ge=0, le=1000, step=10.0
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
    kernel_size: int = kernel_side("generators'")
    channels: tuple[float, ...] = widths("generators'")
    skip_channels: tuple[float, ...] = skip_widths()
    input_channels: int = noise_channels(3, "Channels of a generator's noise input.")
    input_scale: float = setting(
        0.005, "Half width of the uniform noise input of a generator.", ge=1e-4, le=1, step=0.001
    )
    jitter: bool = setting(True, "Add a little new noise to the generators' inputs in each step.")
    orientations: bool = setting(True, "Flip and rotate the inputs of the generators in every other step.")
    keep: Literal["average", "best", "last"] = setting(
        "average",
        "Answer that is kept: the running average, the one with the remix nearest to the mixture, or the "
        "last.",
    )
    decay: float = running_average(0.99, "Decay of the running average, from step to step.")
    early_stopping: bool = stops_early()
    window: int = variance_window()
    patience: int = variance_patience()
    features: bool = setting(False, "Return the generators' second-to-last feature maps as well.")

    _check_network = network_check()
