"""Double-DIP for haze: one untrained network draws the scene, one the transmission, the airlight is learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Haze
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.methods import METHODS, Answer, BaseMethod, Cost
from napari_bitsnet.methods.dip.generators import build_generator, stopping_rule
from napari_bitsnet.methods.dip.settings import (
    adam_rate,
    adam_steps,
    kernel_side,
    network_check,
    noise_channels,
    noise_jitter,
    noise_scale,
    running_average,
    skip_widths,
    stops_early,
    variance_patience,
    variance_window,
    widths,
)

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.methods import StoppingRule
    from napari_bitsnet.methods.dip.adam import DipFit
    from napari_bitsnet.methods.dip.averaging import RunningAverage

AIRLIGHT_STEPS = 1000
"""Steps for which a learnt airlight is kept near its estimate."""


class DoubleDipHazeConfig(BaseConfig):
    """Settings of the method."""

    iterations: int = adam_steps(60)
    learning_rate: float = adam_rate(0.003)
    start: Literal["dark_channel", "none"] = setting(
        "dark_channel", "What goes first, for the networks to correct: the closed form, or nothing."
    )
    correction: float = setting(
        0.3, "Size of the networks' corrections to the start.", ge=0.001, le=1, step=0.1
    )
    smoothness: float = setting(
        0.005, "Weight of differences between the transmission and its 5 x 5 mean.", ge=0, le=10, step=0.005
    )
    learn_airlight: bool = setting(True, "Learn the airlight as well, unless it is given.")
    kernel_size: int = kernel_side("networks'")
    channels: tuple[float, ...] = widths("networks'")
    skip_channels: tuple[float, ...] = skip_widths()
    input_channels: int = noise_channels(8)
    input_scale: float = noise_scale(0.05)
    jitter: float = noise_jitter("inputs")
    decay: float = running_average(0.95, "Of the transmission's running average.")
    early_stopping: bool = stops_early()
    window: int = variance_window()
    patience: int = variance_patience()

    _check_network = network_check()


@dataclass(kw_only=True)
class DoubleDipHazeState(State):
    """A run.

    Parameters
    ----------
    scene, transmission : Tensor of shape (1, C, H, W) and (1, 1, H, W)
        The start's.
    first_airlight, airlight : Tensor of shape (C,)
        Its estimate or what was given, and what it is now.
    fit : DipFit
        Both networks: the scene's, and one whose channels' mean is the transmission.
    kept : RunningAverage
        Of transmissions.
    """

    scene: Tensor
    transmission: Tensor
    first_airlight: Tensor
    airlight: Tensor
    fit: DipFit
    kept: RunningAverage


@METHODS.register("double_dip_haze")
class DoubleDipHaze(BaseMethod[DoubleDipHazeState]):
    """``min mean (I - t J - (1 - t) A)² + a smooth(t)``, ``J = DIP_1``, ``t = DIP_2``; then J by inversion.

    From a closed form, networks see the image itself and correct scene and transmission. The preset ``"official"``
    draws both from noise with the released code's settings. Departures from that code: one run, where it applies itself
    to its own result again; one airlight for all pixels, where a third network draws it; new noise on both inputs, where
    the transmission's has none; the guided filter's ridge is 1e-3 for 1e-4, its radius follows the image's size.

    References
    ----------
    Gandelsman, Shocher & Irani, "Double-DIP: Unsupervised Image Decomposition via Coupled Deep-Image-Priors",
    CVPR 2019, doi:10.1109/CVPR.2019.01128.
    """

    name = "double_dip_haze"
    title = "Double-DIP for haze"
    summary = "Two untrained networks draw scene and transmission; for comparison."
    Config = DoubleDipHazeConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": DoubleDipHazeConfig(iterations=30),
        "balanced": DoubleDipHazeConfig(),
        "best": DoubleDipHazeConfig(iterations=300),
        "official": DoubleDipHazeConfig(
            iterations=4000, learning_rate=0.001, start="none", jitter=1 / 30, decay=0, early_stopping=False
        ),
    }
    cost = Cost(1.2, 1.1, 1500)
    full_resolution = False
    seeded = True
    config: DoubleDipHazeConfig

    @property
    def iterations(self) -> int:
        """Steps of Adam."""
        return self.config.iterations

    def unsupported_reason(self, traits: Traits) -> str | None:
        """See `Method.unsupported_reason`."""
        return None if traits.mixing == "haze" else "It removes haze; for sums of images there is double_dip."

    def start(self, problem: Problem, *, device: str, seed: int) -> DoubleDipHazeState:
        """See `Method.start`."""
        return self._start(problem, None, device=device, seed=seed)

    def warm_start(
        self, problem: Problem, previous: DoubleDipHazeState, *, device: str, seed: int
    ) -> DoubleDipHazeState:
        """See `Method.warm_start`: the networks go on with their weights."""
        return self._start(problem, previous, device=device, seed=seed)

    def _start(
        self, problem: Problem, previous: DoubleDipHazeState | None, *, device: str, seed: int
    ) -> DoubleDipHazeState:
        import torch

        from napari_bitsnet.methods.dip.adam import DipFit, uniform_noise
        from napari_bitsnet.methods.dip.averaging import RunningAverage
        from napari_bitsnet.methods.dip.starts import go_on, run_start

        config = self.config
        refining = config.start != "none"
        device = "cpu" if device == "mps" else device  # float64 is missing there
        problem = problem.to(device)
        assert isinstance(problem.mixing, Haze)  # see `unsupported_reason`
        rng = torch.Generator().manual_seed(seed)
        image = problem.observations
        first = run_start("dark_channel", problem, device=device, seed=seed).answer
        networks, inputs = [], []
        for _ in range(2):
            seen = image
            if not refining:
                size = (image.shape[-2], image.shape[-1])
                seen = uniform_noise(config.input_channels, size, config.input_scale, rng, device)
            networks.append(
                build_generator(
                    seen.shape[1],
                    image.shape[1],
                    rng,
                    channels=config.channels,
                    skip_channels=config.skip_channels,
                    kernel_size=config.kernel_size,
                    linear=refining,
                    silent=refining,
                )
            )
            inputs.append(seen)
        airlight = first["airlight"].clone()
        learnt = config.learn_airlight and problem.mixing.airlight is None
        noise = torch.Generator(device=device).manual_seed(seed)
        fit = DipFit(
            networks,
            inputs,
            learning_rate=config.learning_rate,
            rng=noise,
            unknowns=[airlight] if learnt else [],
        )
        share = 1.0
        if previous is not None:
            drawn = [] if refining else [0, 1]
            share = go_on(fit, previous.fit, drifting=drawn, scale=config.input_scale, seed=seed)
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

    def advance(self, state: DoubleDipHazeState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`."""
        while True:
            yield self._step(state)

    def _step(self, state: DoubleDipHazeState) -> dict[str, Tensor]:
        import torch

        from napari_bitsnet.core.guided_filter import box_mean
        from napari_bitsnet.core.haze import LEAST
        from napari_bitsnet.core.losses.reconstruction import l2_loss

        config, problem = self.config, state.problem
        images, _ = state.fit.generate(jitter=config.jitter)
        scene, t = images[:1], images[1:].mean(dim=1, keepdim=True)
        if state.has_start:
            scene = state.scene + config.correction * scene
            t = torch.sigmoid(state.transmission.clamp(max=0.999).logit() + config.correction * t)
        t = t.clamp(min=LEAST / 2)
        airlight = state.airlight[:, None, None]
        remix = t * scene + (1 - t) * airlight
        terms = {"reconstruction": l2_loss(remix, problem.observations, problem.valid)}
        terms["smoothness"] = config.smoothness * l2_loss(t, box_mean(t, 2), problem.valid)
        if state.airlight.requires_grad and state.step < AIRLIGHT_STEPS:
            terms["airlight"] = (state.airlight - state.first_airlight).square().mean()
        total = torch.stack(list(terms.values())).sum()
        state.fit.descend(total)
        state.kept.update(t)
        state.step += 1
        return {**{name: term.detach() for name, term in terms.items()}, "total": total.detach()}

    def solution(self, state: DoubleDipHazeState) -> Answer:
        """See `Method.solution`: ``"sources"`` by inversion, ``"transmission"`` guided by the image, ``"airlight"``."""
        from napari_bitsnet.core.haze import clear_scene, guided

        image, t = state.problem.observations, state.kept.value
        t = state.transmission if t is None else guided(t, image)
        airlight = state.airlight.detach()
        scene = clear_scene(image, t, tuple(airlight.tolist())).clamp(0, 1)
        return {"sources": scene, "transmission": t, "airlight": airlight.clone()}

    def stopping(self) -> StoppingRule | None:
        """See `Method.stopping`."""
        return stopping_rule(self.config)
