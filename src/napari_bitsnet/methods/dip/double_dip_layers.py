"""Double-DIP for layers with a mask: watermarks and segmentation drawn by untrained networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Cutout, Overlay
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.methods import METHODS, Answer, BaseMethod, Cost
from napari_bitsnet.methods.dip.generators import build_generator, check_sizes, stopping_rule
from napari_bitsnet.methods.dip.settings import (
    adam_rate,
    adam_steps,
    kernel_side,
    noise_channels,
    noise_scale,
    running_average,
    stops_early,
    variance_patience,
    variance_window,
)

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.methods import StoppingRule
    from napari_bitsnet.methods.dip.adam import DipFit
    from napari_bitsnet.methods.dip.averaging import RunningAverage

CLOSED_FORMS = {"overlay": "watermark_matting", "cutout": "random_walker"}
"""What goes first, for each kind of mixing."""
OFFICIAL_CHANNELS = {"overlay": (8, 16, 32, 64, 128), "cutout": (8, 16, 32)}
"""Widths of the released code's networks."""
MASK_CHANNELS = (8, 16, 32)
UNTOUCHED = 0.02
"""Opacities of a mark below which the image is kept as it is."""


class DoubleDipLayersConfig(BaseConfig):
    """Settings of the method."""

    iterations: int = adam_steps(60)
    learning_rate: float = adam_rate(0.003)
    start: Literal["closed_form", "none"] = setting(
        "closed_form", "What goes first, for the networks to correct: the task's closed form, or nothing."
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
    alpha_hint: float = setting(1.0, "Segmentation: weight of the marks.", ge=0, le=100, step=0.1)
    kernel_size: int = kernel_side("networks'")
    channels: tuple[float, ...] | None = setting(
        None, "Width of each scale of the layers' networks, finest first; none takes the released code's."
    )
    input_channels: int = noise_channels(2)
    input_scale: float = noise_scale(0.05)
    jitter: bool = setting(False, "Add a little new noise to the networks' inputs in each step.")
    decay: float = running_average(0.95, "Of the running average of layers and mask.")
    early_stopping: bool = stops_early()
    window: int = variance_window()
    patience: int = variance_patience()

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        widths = MASK_CHANNELS if self.channels is None else self.channels
        check_sizes(self.kernel_size, widths, [0] * len(widths))
        return self


@dataclass(kw_only=True)
class DoubleDipLayersState(State):
    """A run.

    Parameters
    ----------
    layers, mask : Tensor of shape (K, C, H, W) and (1, 1, H, W)
        The start's; K = M + 1 with a mark, whose colour is the last layer, 2 in a segmentation.
    colour : Tensor of shape (1, C, 1, 1), optional
        Of a mark; learnt unless given.
    fit : DipFit
        A network for every image that is drawn, and one whose channels' mean is the mask.
    kept, kept_mask : RunningAverage
        Of layers and masks.
    """

    layers: Tensor
    mask: Tensor
    colour: Tensor | None
    fit: DipFit
    kept: RunningAverage
    kept_mask: RunningAverage


@METHODS.register("double_dip_layers")
class DoubleDipLayers(BaseMethod[DoubleDipLayersState]):
    """Each layer and the mask from a network of its own: ``min mean |I − remix| + terms``.

    - Generators: ``C_m = DIP_m`` and ``a = DIP_0`` with a learnt colour W (marks), or ``F, B = DIP_1, DIP_2`` and ``m = DIP_0``.
    - Mixing: ``(1 − a) C_m + a W``, or ``m F + (1 − m) B``.
    - Terms: of a segmentation, ``1 / mean |m − 0.5|`` pulls the mask to 0 and 1, and at the marks layers and mask are held;
      outside its region a mark's opacity is 0. From a closed form, an anchor to it.

    The preset ``"official"`` has the released code's learning rate, inputs, networks and numbers of steps. Departures from
    it: both of its steps are one, a mark has one colour instead of an image, one run instead of the median of three.

    References
    ----------
    Gandelsman, Shocher & Irani, "Double-DIP: Unsupervised Image Decomposition via Coupled Deep-Image-Priors",
    CVPR 2019, doi:10.1109/CVPR.2019.01128.
    """

    name = "double_dip_layers"
    title = "Double-DIP for layers"
    summary = "Untrained networks draw layers and mask of watermarks and segmentations; for comparison."
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
    cost = Cost(1.0, 0.9, 1000, start=4.0)
    full_resolution = False
    seeded = True
    config: DoubleDipLayersConfig

    @property
    def iterations(self) -> int:
        """Steps of Adam."""
        return self.config.iterations

    def unsupported_reason(self, traits: Traits) -> str | None:
        """See `Method.unsupported_reason`."""
        if traits.mixing not in CLOSED_FORMS:
            return "It draws layers with a mask: watermarks and segmentations."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> DoubleDipLayersState:
        """See `Method.start`."""
        return self._start(problem, None, device=device, seed=seed)

    def warm_start(
        self, problem: Problem, previous: DoubleDipLayersState, *, device: str, seed: int
    ) -> DoubleDipLayersState:
        """See `Method.warm_start`: the networks go on with their weights."""
        return self._start(problem, previous, device=device, seed=seed)

    def _start(
        self, problem: Problem, previous: DoubleDipLayersState | None, *, device: str, seed: int
    ) -> DoubleDipLayersState:
        import torch

        from napari_bitsnet.methods.dip.adam import DipFit, uniform_noise
        from napari_bitsnet.methods.dip.averaging import RunningAverage
        from napari_bitsnet.methods.dip.starts import go_on, run_start

        config, kind = self.config, problem.mixing.name
        problem = problem.to(device)
        images, refining = problem.observations, config.start != "none"
        layers, mask = _no_start(problem)
        if refining:
            first = run_start(CLOSED_FORMS[kind], problem, device=device, seed=seed).answer
            layers, mask = first["sources"], first["opacity"]
        rng = torch.Generator().manual_seed(seed)
        size = (images.shape[-2], images.shape[-1])
        shared = uniform_noise(config.input_channels, size, config.input_scale, rng, device)
        drawn = len(images) if kind == "overlay" else 2
        networks, inputs = [], []
        for k in range(drawn + 1):
            widths = config.channels or OFFICIAL_CHANNELS[kind] if k < drawn else MASK_CHANNELS
            seen = shared  # the released code shows a segmentation's layers the same noise
            if refining:
                seen = images[min(k, len(images) - 1)][None]
            elif kind == "overlay" or k == drawn:
                seen = uniform_noise(config.input_channels, size, config.input_scale, rng, device)
            networks.append(
                build_generator(
                    seen.shape[1],
                    images.shape[1],
                    rng,
                    channels=widths,
                    skip_channels=[4 if s > 2 else 0 for s in range(len(widths))],
                    kernel_size=config.kernel_size,
                    linear=refining,
                    silent=refining,
                )
            )
            inputs.append(seen)
        colour, unknowns = None, []
        if isinstance(problem.mixing, Overlay):
            colour = layers[-1:].mean(dim=(-2, -1), keepdim=True).clone()
            if problem.mixing.colour is None:
                unknowns.append(colour.requires_grad_())
        noise = torch.Generator(device=device).manual_seed(seed)
        fit = DipFit(networks, inputs, learning_rate=config.learning_rate, rng=noise, unknowns=unknowns)
        share = 1.0
        if previous is not None:
            noise_inputs: Sequence[int] = [] if refining else range(len(inputs))
            share = go_on(fit, previous.fit, drifting=noise_inputs, scale=config.input_scale, seed=seed)
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

    def advance(self, state: DoubleDipLayersState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`."""
        while True:
            yield self._step(state)

    def _step(self, state: DoubleDipLayersState) -> dict[str, Tensor]:
        """One step of Adam."""
        import torch

        from napari_bitsnet.core.losses.reconstruction import l1_loss, l2_loss
        from napari_bitsnet.methods.dip.schedules import jitter_at

        config, problem = self.config, state.problem
        last = state.step == config.iterations - 1
        images, _ = state.fit.generate(jitter=jitter_at(state.step, last=last) if config.jitter else 0.0)
        layers, mask = self._drawn(state, images)
        mixing = Overlay(cover=mask) if state.colour is not None else Cutout(mask)
        remix = mixing(layers)
        terms = {"reconstruction": l1_loss(remix, problem.observations, problem.valid)}
        if state.colour is None:
            assert problem.hints is not None
            foreground, background = problem.hints[:1], problem.hints[1:]
            image = problem.observations
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
        total = torch.stack(list(terms.values())).sum()
        state.fit.descend(total)
        state.kept.update(layers)
        state.kept_mask.update(mask)
        state.step += 1
        return {**{name: term.detach() for name, term in terms.items()}, "total": total.detach()}

    def _drawn(self, state: DoubleDipLayersState, images: Tensor) -> tuple[Tensor, Tensor]:
        """Layers (K, C, H, W) and mask (1, 1, H, W) that the networks' images mean."""
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

    def stopping(self) -> StoppingRule | None:
        """See `Method.stopping`."""
        return stopping_rule(self.config)


def _no_start(problem: Problem) -> tuple[Tensor, Tensor]:
    """Layers and mask before the first step where nothing goes first: the images, a white mark, a mask of one half."""
    import torch

    images = problem.observations
    half = torch.full_like(images[:1, :1], 0.5)
    if not isinstance(problem.mixing, Overlay):
        return images.expand(2, -1, -1, -1), half
    white = problem.mixing.colour or (1.0,) * images.shape[1]
    mark = images.new_tensor(white)[None, :, None, None].expand_as(images[:1])
    return torch.cat([images, mark]), half
