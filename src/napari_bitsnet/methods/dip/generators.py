"""Generators of a fit: check their sizes, build the networks on their inputs, and make the stopping rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_bitsnet.core.networks.skip import SkipNetwork
    from napari_bitsnet.core.problem import Problem
    from napari_bitsnet.methods.dip.adam import DipFit
    from napari_bitsnet.methods.dip.stopping import RunningVariance


LATER = 1 / 3
"""Fraction of the planned steps for networks that continue from the previous slice."""
DRIFT = 0.2
"""Noise that is added to noise inputs from slice to slice, relative to the half width of the first."""


class NetworkSettings(Protocol):
    """Settings of a fit: size of the kernels, noise inputs, and the step size of Adam."""

    @property
    def kernel_size(self) -> int:
        """Return the side of the kernels in pixels."""

    @property
    def input_channels(self) -> int:
        """Return the number of channels of the noise inputs."""

    @property
    def input_scale(self) -> float:
        """Return the half width of the uniform noise."""

    @property
    def learning_rate(self) -> float:
        """Return the step size of Adam."""


class StopsEarly(Protocol):
    """Settings of the running-variance rule."""

    @property
    def early_stopping(self) -> bool:
        """Return True if the rule ends runs."""

    @property
    def window(self) -> int:
        """Return the number of steps of the variance."""

    @property
    def patience(self) -> int:
        """Return the number of steps without a new lowest variance."""


def check_sizes(kernel_size: int, channels: Sequence[float], skip_channels: Sequence[float]) -> None:
    """Check the sizes of a network in the settings.

    Raises
    ------
    ValueError
        If the kernel is even, a scale has no width of its skip connection, or a width is no whole number.
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


class Generators:
    """Networks and their inputs, added one by one; weights and noise are drawn in that order.

    Parameters
    ----------
    problem : Problem
        Problem on the device of the run.
    config : NetworkSettings
        Sizes of the networks and their noise, and the step size.
    rng : torch.Generator
        On the CPU.
    corrects : bool
        Whether they generate corrections of any sign instead of images in [0, 1].
    silent : bool
        Whether their first correction is 0.
    """

    def __init__(
        self, problem: Problem, config: NetworkSettings, rng: torch.Generator, *, corrects: bool, silent: bool
    ) -> None:
        self.problem, self.config, self.rng = problem, config, rng
        self.corrects, self.silent = corrects, silent
        self.networks: list[SkipNetwork] = []
        self.inputs: list[Tensor] = []
        self.drifting: list[int] = []

    def noise(self) -> Tensor:
        """Return a new noise input, (1, `input_channels`, H, W)."""
        from napari_bitsnet.methods.dip.adam import uniform_noise

        observed, config = self.problem.observations, self.config
        size = (observed.shape[-2], observed.shape[-1])
        return uniform_noise(config.input_channels, size, config.input_scale, self.rng, str(observed.device))

    def add(
        self,
        seen: Tensor | None,
        *,
        channels: Sequence[float],
        skip_channels: Sequence[float],
        upsampling: Literal["bilinear", "nearest"] = "bilinear",
        drifts: bool = False,
    ) -> None:
        """Add a network.

        Parameters
        ----------
        seen : Tensor of shape (1, C, H, W), optional
            Input of the network; None makes a new noise input.
        channels, skip_channels, upsampling
            See `SkipNetwork`.
        drifts : bool
            Whether a given input is noise that changes from slice to slice; new noise always does.
        """
        import torch

        from napari_bitsnet.core.networks.skip import SkipNetwork, initialise

        if seen is None or drifts:
            self.drifting.append(len(self.networks))
        seen = self.noise() if seen is None else seen
        network = SkipNetwork(
            seen.shape[1],
            self.problem.observations.shape[1],
            channels=[int(c) for c in channels],
            skip_channels=[int(c) for c in skip_channels],
            kernel_size=self.config.kernel_size,
            upsampling=upsampling,
            output="linear" if self.corrects else "sigmoid",
        )
        initialise(network, self.rng)
        if self.silent:
            for parameter in network.head.parameters():
                torch.nn.init.zeros_(parameter)
        self.networks.append(network)
        self.inputs.append(seen)

    def fit(
        self,
        unknowns: Sequence[Tensor] = (),
        previous: DipFit | None = None,
        *,
        seed: int,
        anew: bool = False,
    ) -> tuple[DipFit, float]:
        """Return the fit of all networks, and `State.share`, the fraction of the planned steps that remains.

        Parameters
        ----------
        unknowns : sequence of Tensor
            Further parameters to fit.
        previous : DipFit, optional
            Fit of the previous slice, from which networks of the same sizes continue (`DipFit.follow`).
        seed : int
            Seed of the noise that is added during the fit.
        anew : bool
            Whether networks that correct a start from noise are new for each slice, because their weights
            belong to places in the previous slice. They need fewer steps as well, because the start continues
            from the previous slice.
        """
        import torch

        from napari_bitsnet.methods.dip.adam import DipFit

        rng = torch.Generator(device=self.problem.observations.device).manual_seed(seed)
        rate = self.config.learning_rate
        fit = DipFit(self.networks, self.inputs, learning_rate=rate, rng=rng, unknowns=unknowns)
        if previous is None:
            return fit, 1.0
        if not anew:
            if not fit.alike(previous):
                return fit, 1.0
            fit.follow(previous, self.drifting, drift=DRIFT * self.config.input_scale, seed=seed)
        return fit, LATER


def stopping_rule(config: StopsEarly) -> RunningVariance | None:
    """Return the running-variance rule, if it is enabled."""
    from napari_bitsnet.methods.dip.stopping import RunningVariance

    if not config.early_stopping:
        return None
    return RunningVariance(window=config.window, patience=config.patience)
