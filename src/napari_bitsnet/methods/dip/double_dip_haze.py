"""Double-DIP for haze: one untrained network for the scene, one for the transmission, and a fitted
airlight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Haze
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.core.stages import Stages
from napari_bitsnet.methods import METHODS, Answer, Cost
from napari_bitsnet.methods.dip import settings
from napari_bitsnet.methods.dip.fit import Descent, Drawn, FitState, FittedMethod
from napari_bitsnet.methods.dip.generators import Generators
from napari_bitsnet.methods.dip.starts import running_start

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_bitsnet.methods.dip.averaging import RunningAverage

AIRLIGHT_STEPS = 1000
"""Number of first steps that keep the fitted airlight near its estimate, as in the released code."""


class DoubleDipHazeConfig(BaseConfig):
    """Settings of the method."""

    iterations: int = settings.adam_steps(60)
    learning_rate: float = settings.adam_rate(0.003)
    start: Literal["dark_channel", "none"] = setting(
        "dark_channel", "Closed form that initialises the networks, or none."
    )
    correction: float = setting(
        0.3, "Size of the networks' corrections to the start.", ge=0.001, le=1, step=0.1
    )
    smoothness: float = setting(
        0.005, "Weight of differences between the transmission and its 5 x 5 mean.", ge=0, le=10, step=0.005
    )
    learn_airlight: bool = setting(True, "Fit the airlight as well, unless it is given.")
    kernel_size: int = settings.kernel_side("networks'")
    channels: tuple[float, ...] = settings.widths("networks'")
    skip_channels: tuple[float, ...] = settings.skip_widths()
    input_channels: int = settings.noise_channels(8)
    input_scale: float = settings.noise_scale(0.05)
    jitter: float = settings.noise_jitter("inputs")
    decay: float = settings.running_average(0.95, "Decay of the running average of the transmission.")
    early_stopping: bool = settings.stops_early()
    window: int = settings.variance_window()
    patience: int = settings.variance_patience()

    _check_network = settings.network_check()


@dataclass(kw_only=True)
class DoubleDipHazeState(FitState):
    """State of a run.

    Parameters
    ----------
    scene, transmission : Tensor of shape (1, C, H, W) and (1, 1, H, W)
        The start's.
    first_airlight, airlight : Tensor of shape (C,)
        Estimated or given airlight, and the current one.
    kept : RunningAverage
        Average of transmissions.
    """

    scene: Tensor
    transmission: Tensor
    first_airlight: Tensor
    airlight: Tensor
    kept: RunningAverage


@METHODS.register("double_dip_haze")
class DoubleDipHaze(FittedMethod[DoubleDipHazeState]):
    """``min mean (I - t J - (1 - t) A)² + a smooth(t)``, ``J = DIP_1``, ``t = DIP_2``; then J by inversion.

    From a closed form, the networks see the image itself and correct scene and transmission. The preset
    ``"official"`` generates both from noise with the settings of the released code. Departures from that
    code: one run (the code applies itself to its own result again); one airlight for all pixels (the code: a
    third network); new noise on both inputs (the code: only on the scene's); the ridge of the guided filter
    is 1e-3 instead of 1e-4, and its radius follows the size of the image.

    References
    ----------
    Gandelsman, Shocher & Irani, "Double-DIP: Unsupervised Image Decomposition via Coupled Deep-Image-Priors",
    CVPR 2019, doi:10.1109/CVPR.2019.01128.
    """

    name = "double_dip_haze"
    title = "Double-DIP for haze"
    summary = "Two untrained networks generate scene and transmission; for comparison."
    Config = DoubleDipHazeConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": DoubleDipHazeConfig(iterations=30),
        "balanced": DoubleDipHazeConfig(),
        "best": DoubleDipHazeConfig(iterations=300),
        "official": DoubleDipHazeConfig(
            iterations=4000, learning_rate=0.001, start="none", jitter=1 / 30, decay=0, early_stopping=False
        ),
    }
    cost = Cost(0.6, 1.1, 1500)
    config: DoubleDipHazeConfig

    def unsupported_reason(self, traits: Traits) -> str | None:
        return None if traits.mixing == "haze" else "It removes haze; use double_dip for sums of images."

    def starting(
        self, problem: Problem, previous: DoubleDipHazeState | None, *, device: str, seed: int
    ) -> Stages[DoubleDipHazeState]:
        device = "cpu" if device == "mps" else device  # float64 is missing there
        return super().starting(problem, previous, device=device, seed=seed)

    def prepare(
        self,
        problem: Problem,
        previous: DoubleDipHazeState | None,
        rng: torch.Generator,
        *,
        device: str,
        seed: int,
    ) -> Stages[DoubleDipHazeState]:
        """See `FittedMethod.prepare`: a network for the scene, and one with the transmission as the mean of
        its channels."""
        from napari_bitsnet.methods.dip.averaging import RunningAverage

        config, refining = self.config, self.config.start != "none"
        assert isinstance(problem.mixing, Haze)  # see `unsupported_reason`
        first = (yield from running_start("dark_channel", problem, device=device, seed=seed)).answer
        generators = Generators(problem, config, rng, corrects=refining, silent=refining)
        for _ in range(2):
            seen = problem.observations if refining else None
            generators.add(seen, channels=config.channels, skip_channels=config.skip_channels)
        airlight = first["airlight"].clone()
        learnt = config.learn_airlight and problem.mixing.airlight is None
        earlier = None if previous is None else previous.fit
        fit, share = generators.fit([airlight] if learnt else [], earlier, seed=seed)
        return DoubleDipHazeState(
            problem=problem,
            has_start=refining,
            share=share,
            scene=first["sources"],
            transmission=first["transmission"],
            first_airlight=first["airlight"],
            airlight=airlight.requires_grad_() if learnt else airlight,
            fit=fit,
            kept=RunningAverage(config.decay),
        )

    def explain(self, state: DoubleDipHazeState, images: Tensor) -> Drawn:
        """See `FittedMethod.explain`: ``t J + (1 - t) A``."""
        import torch

        from napari_bitsnet.core.haze import LEAST

        scene, t = images[:1], images[1:].mean(dim=1, keepdim=True)
        if state.has_start:
            scene = state.scene + self.config.correction * scene
            t = torch.sigmoid(state.transmission.clamp(max=0.999).logit() + self.config.correction * t)
        t = t.clamp(min=LEAST / 2)
        return Drawn(scene, t * scene + (1 - t) * state.airlight[:, None, None], t)

    def terms(
        self, state: DoubleDipHazeState, drawn: Drawn, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """See `FittedMethod.terms`: the remix, a smooth transmission, and at first an airlight near its
        estimate."""
        from napari_bitsnet.core.guided_filter import box_mean
        from napari_bitsnet.core.losses.reconstruction import l2_loss

        problem, t = state.problem, drawn.mask
        assert t is not None
        terms = {"reconstruction": l2_loss(drawn.remix, problem.observations, problem.valid)}
        terms["smoothness"] = self.config.smoothness * l2_loss(t, box_mean(t, 2), problem.valid)
        if state.airlight.requires_grad and state.step < AIRLIGHT_STEPS:
            terms["airlight"] = (state.airlight - state.first_airlight).square().mean()
        return terms

    def after_step(self, state: DoubleDipHazeState, seen: Descent, orientation: int) -> None:
        assert seen.drawn.mask is not None
        state.kept.update(seen.drawn.mask)

    def solution(self, state: DoubleDipHazeState) -> Answer:
        """See `Method.solution`: ``"sources"`` by inversion, ``"transmission"`` guided by the image,
        ``"airlight"``."""
        from napari_bitsnet.core.haze import clear_scene, guided

        image, t = state.problem.observations, state.kept.value
        t = state.transmission if t is None else guided(t, image)
        airlight = state.airlight.detach()
        scene = clear_scene(image, t, tuple(airlight.tolist())).clamp(0, 1)
        return {"sources": scene, "transmission": t, "airlight": airlight.clone()}
