"""Remove haze in closed form: fit a smooth transmission as an upper envelope of the dark channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Haze
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Partial, Stage, Stages, telling
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod

if TYPE_CHECKING:
    from torch import Tensor

AIRLIGHT_WINDOW = 0.03
"""Radius of the dark channel's windows for the airlight, as a fraction of the longer side."""


class DarkChannelConfig(BaseConfig):
    """Settings of the method."""

    fit: Literal["envelope", "windows"] = setting(
        "envelope",
        "Transmission: a smooth envelope of the dark channel, or the dark channel itself (He et al.).",
    )
    radius: float = setting(
        0.05,
        "Radius of the dark channel's windows, as a fraction of the longer side.",
        ge=0.005,
        le=0.2,
        step=0.01,
    )
    smoothness: float = setting(20.0, "Smoothness of the envelope.", ge=0.1, le=10_000, step=10.0)
    part: float = setting(1.0, "Fraction of the haze that is removed.", ge=0.1, le=1, step=0.05)
    airlight_part: float = setting(
        0.02,
        "Fraction of the pixels, those with the densest haze, from which an unknown airlight is estimated.",
        ge=1e-5,
        le=0.5,
        step=0.005,
    )


@dataclass(kw_only=True)
class DarkChannelState(State):
    """Airlight, and transmission (1, 1, H, W); None before the first iteration."""

    airlight: tuple[float, ...]
    transmission: Tensor | None = None


@METHODS.register("dark_channel")
class DarkChannel(StagedMethod[DarkChannelState]):
    """Solve ``J = (I - (1 - t) A) / t``: t comes from the dark channel, A is given or estimated.

    See `core.haze` for the equations and papers.
    """

    name = "dark_channel"
    title = "Dark channel"
    summary = "Removes haze by the dark channel prior, within a second."
    Config = DarkChannelConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": DarkChannelConfig(),
        "balanced": DarkChannelConfig(),
        "best": DarkChannelConfig(),
        "original": DarkChannelConfig(fit="windows", radius=0.03, part=0.95, airlight_part=0.001),
    }
    cost = Cost(0.3, 1.0, 450)
    config: DarkChannelConfig

    def unsupported_reason(self, traits: Traits) -> str | None:
        return None if traits.mixing == "haze" else "It removes haze; it does not separate sources."

    def start(self, problem: Problem, *, device: str, seed: int) -> DarkChannelState:
        """See `Method.start`; nothing is random."""
        from napari_bitsnet.core.haze import estimate_airlight

        problem = problem.to("cpu" if device == "mps" else device)  # MPS has no float64
        assert isinstance(problem.mixing, Haze)  # see `unsupported_reason`
        airlight = problem.mixing.airlight
        if airlight is None:
            window = max(1, round(AIRLIGHT_WINDOW * max(problem.observations.shape[-2:])))
            airlight = estimate_airlight(problem.observations, window, part=self.config.airlight_part)
        return DarkChannelState(problem=problem, airlight=airlight)

    def iterating(self, state: DarkChannelState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: the envelope, its edges, and the windows that may be lighter; returns
        the mean transmission."""
        state.transmission = yield from self._solving(state)
        return {"transmission": state.transmission.mean()}

    def _solving(self, state: DarkChannelState) -> Stages[Tensor]:
        """Return the transmission; what there is of it on the way is kept."""
        from napari_bitsnet.core.haze import dark_channel_transmission, smoothing_transmission

        config, image = self.config, state.problem.observations
        yield Stage("dark channel")
        if config.fit == "windows":
            radius = max(1, round(config.radius * max(image.shape[-2:])))
            return dark_channel_transmission(image, state.airlight, radius, part=config.part)
        work = smoothing_transmission(
            image, state.airlight, radius=config.radius, smoothness=config.smoothness, part=config.part
        )
        names = iter(("edges of the haze", "haze in windows"))

        def keep(part: Partial) -> Stage:
            state.transmission, state.has_start = part.image(), True
            return Stage(next(names), better=True)

        return (yield from telling(work, keep))

    def solution(self, state: DarkChannelState) -> Answer:
        """See `Method.solution`: ``"sources"`` (the clear scene), ``"transmission"`` and ``"airlight"``."""
        from napari_bitsnet.core.haze import clear_scene

        image, t = state.problem.observations, state.transmission
        t = image.new_ones(1, 1, *image.shape[-2:]) if t is None else t
        scene = clear_scene(image, t, state.airlight).clamp(0, 1)
        return {"sources": scene, "transmission": t, "airlight": image.new_tensor(state.airlight)}
