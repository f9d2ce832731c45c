"""What all methods share that fit untrained generators: their sizes checked, the networks built, when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import torch

    from napari_bitsnet.core.networks.skip import SkipNetwork
    from napari_bitsnet.methods.stopping import RunningVariance


class StopsEarly(Protocol):
    """Settings of the running-variance rule."""

    @property
    def early_stopping(self) -> bool:
        """Whether it ends runs."""

    @property
    def window(self) -> int:
        """Steps over which the variance is taken."""

    @property
    def patience(self) -> int:
        """Steps without a new lowest variance."""


def check_sizes(kernel_size: int, channels: Sequence[float], skip_channels: Sequence[float]) -> None:
    """Check what settings say of a network's sizes.

    Raises
    ------
    ValueError
        If the kernel is even, a scale lacks its skip connection's width, or widths are no whole numbers.
    """
    if kernel_size % 2 == 0:
        raise ValueError(f"expected an odd kernel_size, got {kernel_size}")
    if len(channels) != len(skip_channels):
        raise ValueError(
            f"expected as many skip_channels as channels, got {len(skip_channels)} for {len(channels)}"
        )
    if (
        not channels
        or any(c != int(c) or c < 1 for c in channels)
        or any(c != int(c) or c < 0 for c in skip_channels)
    ):
        raise ValueError("expected whole numbers of channels, at least 1 a scale and 0 a skip connection")


def build_generator(
    channels_in: int,
    channels_out: int,
    rng: torch.Generator,
    *,
    channels: Sequence[float],
    skip_channels: Sequence[float],
    kernel_size: int,
    upsampling: Literal["bilinear", "nearest"] = "bilinear",
    linear: bool,
    silent: bool,
) -> SkipNetwork:
    """Build one generator with weights drawn from `rng`.

    Parameters
    ----------
    channels_in, channels_out : int
        Of its input and its image.
    rng : Generator
        On the CPU.
    channels, skip_channels, kernel_size, upsampling
        See `SkipNetwork`.
    linear : bool
        Whether it draws corrections, of any sign, instead of an image in [0, 1].
    silent : bool
        Whether its first correction is none.
    """
    import torch

    from napari_bitsnet.core.networks.skip import SkipNetwork, initialise

    network = SkipNetwork(
        channels_in,
        channels_out,
        channels=[int(c) for c in channels],
        skip_channels=[int(c) for c in skip_channels],
        kernel_size=kernel_size,
        upsampling=upsampling,
        output="linear" if linear else "sigmoid",
    )
    initialise(network, rng)
    if silent:
        for parameter in network.head.parameters():
            torch.nn.init.zeros_(parameter)
    return network


def stopping_rule(config: StopsEarly) -> RunningVariance | None:
    """The running-variance rule, if it is wanted."""
    from napari_bitsnet.methods.stopping import RunningVariance

    if not config.early_stopping:
        return None
    return RunningVariance(window=config.window, patience=config.patience)
