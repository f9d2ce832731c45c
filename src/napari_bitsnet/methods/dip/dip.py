"""Deep image prior: one untrained network generates an image, from noise or as a correction of a closed
form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
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

    from napari_bitsnet.core.tiling import TiledAverage
    from napari_bitsnet.methods.dip.holdout import Trial


class DipConfig(BaseConfig):
    """Settings of the method."""

    iterations: int = settings.adam_steps(80)
    learning_rate: float = settings.adam_rate(0.01)
    start: Literal["nl_bayes", "none"] = setting(
        "nl_bayes", "Closed form that initialises the network and is its input, or none."
    )
    correction: float = setting(
        0.03,
        "Size of the network's correction to the start; without a start it generates the image itself.",
        ge=0.001,
        le=1,
        step=0.01,
    )
    kernel_size: int = settings.kernel_side("network's")
    channels: tuple[float, ...] = settings.widths("network's")
    skip_channels: tuple[float, ...] = settings.skip_widths()
    upsampling: Literal["bilinear", "nearest"] = setting(
        "bilinear", "Interpolation from each scale to the next finer one."
    )
    input_channels: int = settings.noise_channels(3, "Channels of the noise input without a start.")
    input_scale: float = settings.noise_scale(0.1)
    jitter: float = settings.noise_jitter("input")
    decay: float = settings.running_average(0.98, "Decay of the running average of the network's images.")
    tile: int = setting(
        512, "Larger images are fitted in tiles of this side, in turn.", ge=64, le=8192, step=64, unit="px"
    )
    budget: float = setting(
        0.003,
        "Part of the squared difference between start and noisy image that corrections may explain; beyond, "
        "it is noise.",
        ge=0,
        le=1,
        step=0.001,
    )
    early_stopping: bool = settings.stops_early()
    window: int = settings.variance_window(20)
    patience: int = settings.variance_patience(60)

    _check_network = settings.network_check()


_ORIGINAL = DipConfig(
    iterations=3000,
    learning_rate=0.01,
    start="none",
    channels=(128, 128, 128, 128, 128),
    skip_channels=(4, 4, 4, 4, 4),
    input_channels=32,
    input_scale=0.05,
    jitter=1 / 30,
    decay=0.99,
    early_stopping=False,
)


@dataclass(kw_only=True)
class DipState(FitState):
    """State of a run: the start, the fit of the network, and the running average of its images.

    Parameters
    ----------
    first : Tensor of shape (1, C, H, W)
        Image of the closed form, or the observation without one.
    kept : TiledAverage
        Running average of the generated images, tile by tile.
    fitted : Tensor of shape (1, 1, H, W), optional
        bool: the known pixels of the fit; None for all.
    best : Tensor of shape (1, C, H, W)
        Answer so far.
    before : Tensor of shape ()
        Mean squared difference between the start and the observation.
    trial : Trial, optional
        Hidden pixels that give the weights of start and network, if pixels are missing and there is a start.
    """

    first: Tensor
    kept: TiledAverage
    best: Tensor
    before: Tensor
    fitted: Tensor | None = None
    trial: Trial | None = None


@METHODS.register("dip")
class Dip(FittedMethod[DipState]):
    """``min_Theta mean_known (I - x)²``, ``x = x_0 + c DIP(x_0; Theta)`` or ``x = DIP(z; Theta)``.

    A network without connections at fine scales generates structure before noise. Under noise its input is
    the image x_0 of a closed form, which it corrects: in a few dozen steps it finds structure that x_0 has
    lost, whereas an image from noise takes thousands of steps. The answers are averaged until the corrections
    have explained a small fraction (the budget) of the difference between x_0 and the observation, which is
    mostly noise. If pixels are missing, known pixels cannot show a correction. The network then generates the
    image from noise z, and the answer is the weighted mean of x_0 and that image which best predicts some
    known pixels that were hidden from both. The presets ``"official"`` and ``"official_inpainting"`` have the
    settings of the original for the F-16 photograph and for inpainting.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky, "Deep Image Prior", CVPR 2018, doi:10.1109/CVPR.2018.00984.
    """

    name = "dip"
    title = "Deep image prior"
    summary = "One untrained network refines a closed form, or generates one image from noise."
    Config = DipConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": DipConfig(iterations=40),
        "balanced": DipConfig(),
        "best": DipConfig(iterations=300, learning_rate=0.005, decay=0.99),
        "official": _ORIGINAL,
        "official_inpainting": _ORIGINAL.updated(
            {
                "iterations": 6000,
                "skip_channels": (128, 128, 128, 128, 128),
                "upsampling": "nearest",
                "jitter": 0.03,
            }
        ),
    }
    cost = Cost(0.3, 1.3, 2000, start=42.0)
    full_resolution = True
    config: DipConfig

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing not in ("noisy", "masked"):
            return "It restores one image with noise or missing pixels, and separates nothing."
        return None

    def prepare(
        self, problem: Problem, previous: DipState | None, rng: torch.Generator, *, device: str, seed: int
    ) -> Stages[DipState]:
        """See `FittedMethod.prepare`: one network, whose input is the image that it corrects, or noise."""
        from napari_bitsnet.core.losses.reconstruction import l2_loss
        from napari_bitsnet.core.tiling import TiledAverage
        from napari_bitsnet.methods.dip.holdout import hiding_pixels

        config, refining = self.config, self.config.start != "none"
        correcting = refining and problem.mixing.name == "noisy"
        first, trial, fitted = problem.observations, None, problem.valid
        if refining:
            started = yield from running_start(config.start, problem, device=device, seed=seed)
            first = started.answer["sources"].to(device)
        if refining and not correcting and problem.valid is not None:
            trial = yield from hiding_pixels(problem, config.start, device=device, seed=seed)
            fitted = problem.valid & ~trial.hidden
        generators = Generators(problem, config, rng, corrects=correcting, silent=correcting)
        generators.add(
            first if correcting else None,
            channels=config.channels,
            skip_channels=config.skip_channels,
            upsampling=config.upsampling,
        )
        fit, share = generators.fit(previous=None if previous is None else previous.fit, seed=seed)
        return DipState(
            problem=problem,
            has_start=refining,
            share=share,
            first=first,
            fit=fit,
            kept=TiledAverage(first, side=config.tile, decay=config.decay),
            best=first,
            before=l2_loss(first, problem.observations, problem.valid),
            fitted=fitted,
            trial=trial,
        )

    def look(self, state: DipState, orientation: int) -> None:
        """See `FittedMethod.look`: the network sees one tile after the other."""
        whole = state.fit.inputs[0]
        state.fit.inputs[0] = whole[state.kept.tile(state.step)]
        super().look(state, orientation)
        state.fit.inputs[0] = whole

    def explain(self, state: DipState, images: Tensor) -> Drawn:
        """See `FittedMethod.explain`: the image itself, or the start and a correction."""
        if _corrects(state):
            images = state.first[state.kept.tile(state.step)] + self.config.correction * images
        return Drawn(images, images)

    def terms(
        self, state: DipState, drawn: Drawn, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """See `FittedMethod.terms`: the known pixels of the tile."""
        from napari_bitsnet.core.losses.reconstruction import l2_loss

        tile = state.kept.tile(state.step)
        fitted = None if state.fitted is None else state.fitted[tile]
        return {"reconstruction": l2_loss(drawn.remix, state.problem.observations[tile], fitted)}

    def after_step(self, state: DipState, seen: Descent, orientation: int) -> None:
        """See `FittedMethod.after_step`: update the average, within its budget or weighted with the start."""
        import torch

        from napari_bitsnet.core.losses.reconstruction import l2_loss

        problem = state.problem
        state.kept.update(state.step, seen.drawn.sources)
        average = state.kept.value
        if _corrects(state):
            left = l2_loss(average, problem.observations, problem.valid)
            average = torch.where(left > (1 - self.config.budget) * state.before, average, state.best)
        elif state.trial is not None:
            average = state.trial.combine(state.first, average, problem.observations)
        state.best = average

    def solution(self, state: DipState) -> Answer:
        """See `Method.solution`: the average of the generated images; the start before the first step."""
        return {"sources": state.best.clamp(0, 1)}


def _corrects(state: DipState) -> bool:
    """Return True if the network corrects the start, as it does under noise."""
    return state.has_start and state.problem.mixing.name == "noisy"
