"""Segment an image from scribbles by colours and a random walk, and fill the hidden parts of both layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.methods import METHODS, Answer, BaseMethod, Cost

if TYPE_CHECKING:
    from torch import Tensor

SHARPNESS = 4.0
"""Slope of the mask as a function of the walk's probability."""


class RandomWalkerConfig(BaseConfig):
    """Settings of the method."""

    size: int = setting(
        256,
        "Longer side at which the walk is computed; the outline is then refined at full size.",
        ge=32,
        le=1024,
        step=16,
        unit="px",
    )
    contrast: float = setting(
        300.0, "Strength with which colour differences hinder the walk.", ge=1, le=1e5, step=50
    )
    pull: float = setting(0.003, "Weight of the similarity to the scribbles.", ge=0, le=10, step=0.001)
    rounds: int = setting(
        1,
        "Number of rounds; from the second on, certain pixels of the previous mask count as marked.",
        ge=1,
        le=10,
        step=1,
    )
    attached: bool = setting(
        True, "Keep only parts of the foreground that are connected to one of its scribbles."
    )
    radius: int = setting(
        2,
        "Radius of the guided filter that refines the outline, at the size of the walk.",
        ge=1,
        le=50,
        step=1,
        unit="px",
    )


@dataclass(kw_only=True)
class RandomWalkerState(State):
    """Mask (1, 1, H, W) and both layers (2, C, H, W); None before the first iteration."""

    mask: Tensor | None = None
    layers: Tensor | None = None


@METHODS.register("random_walker")
class RandomWalker(BaseMethod[RandomWalkerState]):
    """Solve ``I = m F + (1 − m) B``: a random walk with a colour prior gives m, and F and B are completed.

    See `colour_evidence`, `random_walker` and `membrane_fill`.
    """

    name = "random_walker"
    title = "Colours and random walk"
    summary = "Segments an image from one scribble each in the foreground and the background, within seconds."
    Config = RandomWalkerConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": RandomWalkerConfig(size=160),
        "balanced": RandomWalkerConfig(),
        "best": RandomWalkerConfig(size=320),
    }
    cost = Cost(0.2, 5.0, 1000)
    config: RandomWalkerConfig

    @property
    def iterations(self) -> int:
        """Return the number of rounds of the walk."""
        return self.config.rounds

    def unsupported_reason(self, traits: Traits) -> str | None:
        """See `Method.unsupported_reason`."""
        if traits.mixing != "cutout":
            return "It needs an image of a foreground before a background, got a mixture of sources."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> RandomWalkerState:
        """See `Method.start`; nothing is random."""
        return RandomWalkerState(problem=problem.to(device))

    def advance(self, state: RandomWalkerState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`; yields the area fraction of the foreground."""
        import torch

        while state.step < self.iterations:
            with torch.no_grad():
                state.mask = self._mask(state)
                state.layers = _completed(state.problem, state.mask)
            state.step += 1
            yield {"foreground": state.mask.mean()}

    def _mask(self, state: RandomWalkerState) -> Tensor:
        """Return the soft mask (1, 1, H, W) at full size."""
        from torch.nn import functional as F

        from napari_bitsnet.core.guided_filter import apply_coefficients, linear_coefficients
        from napari_bitsnet.methods.random_walker.walk import attached, colour_evidence, enlarged, random_walk

        config, image = self.config, state.problem.observations
        assert state.problem.hints is not None  # the task requires hints
        size = (image.shape[-2], image.shape[-1])
        factor = min(1.0, config.size / max(size))
        small = (max(4, round(size[0] * factor)), max(4, round(size[1] * factor)))
        seen = F.interpolate(image, size=small, mode="area") if factor < 1 else image
        hints = F.adaptive_max_pool2d(state.problem.hints, small) if factor < 1 else state.problem.hints
        evidence = colour_evidence(seen, _surer(hints, state.mask, small))
        chance = random_walk(seen, hints, evidence, contrast=config.contrast, pull=config.pull)
        if config.attached:
            chance = attached(chance, hints)
        mask = (0.5 + SHARPNESS * (chance - 0.5)).clamp(0, 1)[None, None]
        if factor < 1:
            a, b = linear_coefficients(seen, mask, radius=config.radius, epsilon=1e-4)
            beyond = mask - apply_coefficients(a, b, seen)
            mask = apply_coefficients(enlarged(a, size), enlarged(b + beyond, size), image).clamp(0, 1)
        marked = state.problem.hints > 0
        return mask.masked_fill(marked[:1], 1.0).masked_fill(marked[1:], 0.0)

    def solution(self, state: RandomWalkerState) -> Answer:
        """See `Method.solution`: ``"sources"`` (foreground, background) and ``"opacity"`` (the mask)."""
        import torch

        image = state.problem.observations
        if state.mask is None or state.layers is None:
            return {"sources": image.expand(2, -1, -1, -1), "opacity": torch.full_like(image[:, :1], 0.5)}
        return {"sources": state.layers, "opacity": state.mask}


def _surer(hints: Tensor, mask: Tensor | None, size: tuple[int, int]) -> Tensor:
    """Return the marks (2, 1, h, w), joined with the certain pixels of an earlier mask (1, 1, H, W)."""
    import torch
    from torch.nn import functional as F

    if mask is None:
        return hints
    known = F.interpolate(mask, size=size, mode="area")
    return torch.maximum(hints, torch.cat([known > 0.98, known < 0.02]).to(hints))


def _completed(problem: Problem, mask: Tensor) -> Tensor:
    """Return foreground and background (2, C, H, W), each filled where the other one is visible."""
    import torch

    from napari_bitsnet.core.patches.sparse_fill import membrane_fill

    image = problem.observations
    layers = []
    for own in (mask > 0.9, mask < 0.1):
        known = own if problem.valid is None else own & problem.valid
        layers.append(membrane_fill(image, ~known) if bool(known.any()) else image)
    return torch.cat(layers)
