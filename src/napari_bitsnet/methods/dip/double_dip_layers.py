"""Double-DIP for layers with a mask: watermarks and segmentation with untrained networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Cutout, Overlay
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.core.stages import Stages
from napari_bitsnet.methods import METHODS, Answer, Cost
from napari_bitsnet.methods.dip import settings
from napari_bitsnet.methods.dip.fit import Descent, Drawn, FitState, FittedMethod
from napari_bitsnet.methods.dip.generators import Generators, check_sizes
from napari_bitsnet.methods.dip.starts import running_start

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_bitsnet.methods.dip.averaging import RunningAverage

CLOSED_FORMS = {"overlay": "watermark_matting", "cutout": "grabcut"}
"""Method that gives the start, for each kind of mixing."""
OFFICIAL_CHANNELS = {"overlay": (8, 16, 32, 64, 128), "cutout": (8, 16, 32)}
"""Widths of the networks in the released code."""
MASK_CHANNELS = (8, 16, 32)
"""Widths of the network of the mask in the released code."""
UNTOUCHED = 0.02
"""Opacity of a mark below which the image stays unchanged."""


class DoubleDipLayersConfig(BaseConfig):
    """Settings of the method."""

    iterations: int = settings.adam_steps(60)
    learning_rate: float = settings.adam_rate(0.003)
    start: Literal["closed_form", "none"] = setting(
        "closed_form", "Closed form of the task that initialises the networks, or none."
    )
    correction: float = setting(
        0.1, "Size of the networks' corrections to the start.", ge=0.001, le=1, step=0.05
    )
    anchor: float = setting(
        1.0, "Weight that keeps layers and mask near the start, as a mean square.", ge=0, le=1000, step=0.1
    )
    alpha_binary: float = setting(
        0.001,
        "Segmentation: weight of ``1 / mean |m - 0.5|``, growing over 1000 steps.",
        ge=0,
        le=1,
        step=0.001,
    )
    alpha_hint: float = setting(1.0, "Segmentation: weight of the hints.", ge=0, le=100, step=0.1)
    kernel_size: int = settings.kernel_side("networks'")
    channels: tuple[float, ...] | None = setting(
        None, "Width of each scale of the layers' networks, finest first; none takes the released code's."
    )
    input_channels: int = settings.noise_channels(2)
    input_scale: float = settings.noise_scale(0.05)
    jitter: bool = setting(False, "Add a little new noise to the networks' inputs in each step.")
    decay: float = settings.running_average(0.95, "Decay of the running average of layers and mask.")
    early_stopping: bool = settings.stops_early()
    window: int = settings.variance_window()
    patience: int = settings.variance_patience()

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        widths = MASK_CHANNELS if self.channels is None else self.channels
        check_sizes(self.kernel_size, widths, [0] * len(widths))
        return self


@dataclass(kw_only=True)
class DoubleDipLayersState(FitState):
    """State of a run.

    Parameters
    ----------
    layers, mask : Tensor of shape (K, C, H, W) and (1, 1, H, W)
        The start's; K = M + 1 with a mark, whose colour is the last layer, 2 in a segmentation.
    colour : Tensor of shape (1, C, 1, 1), optional
        Colour of the mark, fitted unless given.
    kept, kept_mask : RunningAverage
        Averages of layers and masks.
    """

    layers: Tensor
    mask: Tensor
    colour: Tensor | None
    kept: RunningAverage
    kept_mask: RunningAverage


@METHODS.register("double_dip_layers")
class DoubleDipLayers(FittedMethod[DoubleDipLayersState]):
    """Fit one network for each layer and one for the mask: ``min mean |I − remix| + terms``.

    - Generators: ``C_m = DIP_m`` and ``a = DIP_0`` with a fitted colour W (marks), or ``F, B = DIP_1, DIP_2``
      and ``m = DIP_0``.
    - Mixing: ``(1 − a) C_m + a W``, or ``m F + (1 − m) B``.
    - Terms: in a segmentation, ``1 / mean |m − 0.5|`` pulls the mask to 0 and 1, and layers and mask are
      fixed at the hints; outside its region the opacity of a mark is 0. A start from a closed form adds an
      anchor to it.

    The preset ``"official"`` has the learning rate, inputs, networks and numbers of steps of the released
    code. Departures: its two stages are one, a mark has one colour instead of an image, and there is one run
    instead of the median of three.

    References
    ----------
    Gandelsman, Shocher & Irani, "Double-DIP: Unsupervised Image Decomposition via Coupled Deep-Image-Priors",
    CVPR 2019, doi:10.1109/CVPR.2019.01128.
    """

    name = "double_dip_layers"
    title = "Double-DIP for layers"
    summary = "Untrained networks generate layers and mask of watermarks and segmentations; for comparison."
    Config = DoubleDipLayersConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": DoubleDipLayersConfig(iterations=30),
        "balanced": DoubleDipLayersConfig(),
        "best": DoubleDipLayersConfig(iterations=300),
        "official": DoubleDipLayersConfig(
            iterations=4000,
            learning_rate=0.001,
            start="none",
            anchor=0,
            jitter=True,
            decay=0,
            early_stopping=False,
        ),
    }
    cost = Cost(0.4, 0.9, 1000, start=4.0)
    config: DoubleDipLayersConfig

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing not in CLOSED_FORMS:
            return "It finds layers with a mask: watermarks and segmentations."
        return None

    def prepare(
        self,
        problem: Problem,
        previous: DoubleDipLayersState | None,
        rng: torch.Generator,
        *,
        device: str,
        seed: int,
    ) -> Stages[DoubleDipLayersState]:
        """See `FittedMethod.prepare`: a network for each layer, and one with the mask as the mean of its
        channels."""
        from napari_bitsnet.methods.dip.averaging import RunningAverage

        config, kind = self.config, problem.mixing.name
        images, refining = problem.observations, config.start != "none"
        layers, mask = _no_start(problem)
        if refining:
            first = (yield from running_start(CLOSED_FORMS[kind], problem, device=device, seed=seed)).answer
            layers, mask = first["sources"], first["opacity"]
        generators = Generators(problem, config, rng, corrects=refining, silent=refining)
        shared = generators.noise()  # the released code shows a segmentation's layers the same noise
        drawn = len(images) if kind == "overlay" else 2
        for k in range(drawn + 1):
            widths = config.channels or OFFICIAL_CHANNELS[kind] if k < drawn else MASK_CHANNELS
            seen: Tensor | None = shared
            if refining:
                seen = images[min(k, len(images) - 1)][None]
            elif kind == "overlay" or k == drawn:
                seen = None
            skips = [4 if s > 2 else 0 for s in range(len(widths))]
            generators.add(seen, channels=widths, skip_channels=skips, drifts=not refining)
        colour, unknowns = None, []
        if isinstance(problem.mixing, Overlay):
            colour = layers[-1:].mean(dim=(-2, -1), keepdim=True).clone()
            if problem.mixing.colour is None:
                unknowns.append(colour.requires_grad_())
        fit, share = generators.fit(unknowns, None if previous is None else previous.fit, seed=seed)
        return DoubleDipLayersState(
            problem=problem,
            has_start=refining,
            share=share,
            layers=layers,
            mask=mask,
            colour=colour,
            fit=fit,
            kept=RunningAverage(config.decay),
            kept_mask=RunningAverage(config.decay),
        )

    def explain(self, state: DoubleDipLayersState, images: Tensor) -> Drawn:
        """See `FittedMethod.explain`: ``(1 − a) C_m + a W``, or ``m F + (1 − m) B``."""
        layers, mask = self._drawn(state, images)
        mixing = Overlay(cover=mask) if state.colour is not None else Cutout(mask)
        return Drawn(layers, mixing(layers), mask)

    def terms(
        self, state: DoubleDipLayersState, drawn: Drawn, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """See `FittedMethod.terms`: the remix, hints and a binary mask in a segmentation, and nearness to the
        start."""
        from napari_bitsnet.core.losses.reconstruction import l1_loss, l2_loss

        config, problem, image = self.config, state.problem, state.problem.observations
        layers, mask = drawn.sources, drawn.mask
        assert mask is not None
        terms = {"reconstruction": l1_loss(drawn.remix, image, problem.valid)}
        if state.colour is None:
            assert problem.hints is not None
            foreground, background = problem.hints[:1], problem.hints[1:]
            held = [
                ((layer - image).abs() * marks).mean() / marks.mean().clamp_min(1e-6)
                for layer, marks in ((layers[:1], foreground), (layers[1:], background))
            ]
            wrong = ((1 - mask) * foreground + mask * background).sum() / problem.hints.sum().clamp_min(1)
            terms["hints"] = config.alpha_hint * (held[0] + held[1] + wrong)
            growing = config.alpha_binary * (min(state.step, 1000) // 100)
            terms["binary"] = growing / (mask - 0.5).abs().mean().clamp_min(0.05)
        if state.has_start and config.anchor:
            near = l2_loss(layers, state.layers, problem.valid) + l2_loss(mask, state.mask, problem.valid)
            terms["anchor"] = config.anchor * near
        return terms

    def after_step(self, state: DoubleDipLayersState, seen: Descent, orientation: int) -> None:
        assert seen.drawn.mask is not None
        state.kept.update(seen.drawn.sources)
        state.kept_mask.update(seen.drawn.mask)

    def _drawn(self, state: DoubleDipLayersState, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return layers (K, C, H, W) and mask (1, 1, H, W) from the images of the networks."""
        import torch

        layers, mask = images[:-1], images[-1:].mean(dim=1, keepdim=True)
        if state.has_start:
            layers = (state.layers[: len(layers)] + self.config.correction * layers).clamp(0, 1)
            logit = state.mask.clamp(1e-4, 1 - 1e-4).logit()
            mask = torch.where(state.mask > 0, torch.sigmoid(logit + self.config.correction * mask), 0.0)
        if state.colour is not None:
            assert state.problem.hints is not None
            mask = mask * (state.problem.hints[-1:] > 0)
            layers = torch.cat([layers, state.colour.clamp(0, 1).expand_as(layers[:1])])
        return layers, mask

    def solution(self, state: DoubleDipLayersState) -> Answer:
        """See `Method.solution`: ``"sources"`` and ``"opacity"`` (1, 1, H, W)."""
        import torch

        layers = state.layers if state.kept.value is None else state.kept.value
        mask = state.mask if state.kept_mask.value is None else state.kept_mask.value
        if state.colour is not None:  # where there is no mark the image is what it is
            mask = torch.where(mask > UNTOUCHED, mask, 0.0)
            clean = torch.where(mask > 0, layers[:-1], state.problem.observations)
            layers = torch.cat([clean, layers[-1:]])
        return {"sources": layers.detach().clone(), "opacity": mask.detach().clone()}


def _no_start(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return layers and mask without a start: the images, a white mark, and a mask of 0.5."""
    import torch

    images = problem.observations
    half = torch.full_like(images[:1, :1], 0.5)
    if not isinstance(problem.mixing, Overlay):
        return images.expand(2, -1, -1, -1), half
    white = problem.mixing.colour or (1.0,) * images.shape[1]
    mark = images.new_tensor(white)[None, :, None, None].expand_as(images[:1])
    return torch.cat([images, mark]), half
