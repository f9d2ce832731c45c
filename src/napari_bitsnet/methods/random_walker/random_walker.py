"""Segment an image from scribbles by colours and a random walk, and fill the hidden parts of both layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod

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
    """Mask (1, 1, H, W), and both layers (2, C, H, W), which follow it; None before there is one."""

    mask: Tensor | None = None
    layers: Tensor | None = None


@METHODS.register("random_walker")
class RandomWalker(StagedMethod[RandomWalkerState]):
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
    cost = Cost(0.25, 3.0, 1000)
    config: RandomWalkerConfig

    @property
    def iterations(self) -> int:
        """Return the number of rounds of the walk."""
        return self.config.rounds

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing != "cutout":
            return "It needs an image of a foreground before a background, got a mixture of sources."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> RandomWalkerState:
        """See `Method.start`; nothing is random."""
        return RandomWalkerState(problem=problem.to(device))

    def iterating(self, state: RandomWalkerState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: colours, walk, outline and both layers; the mask is an answer before
        the layers are. Returns the area fraction of the foreground."""
        from napari_bitsnet.core.cutouts import completing

        mask = yield from self._masking(state)
        state.mask, state.layers, state.has_start = mask, None, True
        yield Stage("layers", better=True)
        state.layers = yield from completing(state.problem.observations, mask, state.problem.valid)
        return {"foreground": mask.mean()}

    def _masking(self, state: RandomWalkerState) -> Stages[Tensor]:
        """Return the soft mask (1, 1, H, W) at full size."""
        import torch

        from napari_bitsnet.core.cutouts import attached, obeying, reduced, refined
        from napari_bitsnet.methods.random_walker.walk import colour_evidence, random_walk

        config, image, hints = self.config, state.problem.observations, state.problem.hints
        assert hints is not None  # the task requires hints
        sides = torch.cat([hints[:1], hints[1:].amax(dim=0, keepdim=True)])  # further regions are background
        seen, small = reduced(image, sides, config.size)
        yield Stage("colours")
        evidence = colour_evidence(seen, _surer(small, state.mask))
        yield Stage("walk")
        chance = random_walk(seen, small, evidence, contrast=config.contrast, pull=config.pull)
        yield Stage("outline")
        if config.attached:
            chance = attached(chance, small)
        mask = (0.5 + SHARPNESS * (chance - 0.5)).clamp(0, 1)[None, None]
        return obeying(refined(mask, seen, image, radius=config.radius), hints)

    def solution(self, state: RandomWalkerState) -> Answer:
        """See `Method.solution`: ``"sources"`` (foreground, background) and ``"opacity"`` (the mask)."""
        import torch

        image = state.problem.observations
        layers = image.expand(2, -1, -1, -1) if state.layers is None else state.layers
        mask = torch.full_like(image[:, :1], 0.5) if state.mask is None else state.mask
        return {"sources": layers, "opacity": mask}


def _surer(hints: Tensor, mask: Tensor | None) -> Tensor:
    """Return the marks (2, 1, h, w), joined with the certain pixels of an earlier mask (1, 1, H, W)."""
    import torch
    from torch.nn import functional as F

    if mask is None:
        return hints
    known = F.interpolate(mask, size=hints.shape[-2:], mode="area")
    return torch.maximum(hints, torch.cat([known > 0.98, known < 0.02]).to(hints))
