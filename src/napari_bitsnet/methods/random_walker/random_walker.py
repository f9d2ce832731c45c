"""Foreground and background from scribbles: colours, a random walk, and what lies behind filled in. A closed form."""

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
"""How much steeper the mask is than the walk's chance."""


class RandomWalkerConfig(BaseConfig):
    """Settings of the method."""

    size: int = setting(
        256,
        "Longer side at which the walk is computed; the outline is then brought to full size.",
        ge=32,
        le=1024,
        step=16,
        unit="px",
    )
    contrast: float = setting(300.0, "How much differences of colour hinder the walk.", ge=1, le=1e5, step=50)
    pull: float = setting(0.003, "Weight of what looks like the marks.", ge=0, le=10, step=0.001)
    rounds: int = setting(
        1,
        "Rounds; from the second on the last round's answer counts as marked where it is sure.",
        ge=1,
        le=10,
        step=1,
    )
    attached: bool = setting(True, "Foreground is only what hangs together with one of its marks.")
    radius: int = setting(
        2,
        "Radius of the guided filter that brings the outline to full size, at the walk's size.",
        ge=1,
        le=50,
        step=1,
        unit="px",
    )


@dataclass(kw_only=True)
class RandomWalkerState(State):
    """The mask (1, 1, H, W) and both layers (2, C, H, W), once they are there."""

    mask: Tensor | None = None
    layers: Tensor | None = None


@METHODS.register("random_walker")
class RandomWalker(BaseMethod[RandomWalkerState]):
    """``I = m F + (1 − m) B``: m from a random walk that colours like the marks' pull at, F and B filled in behind it.

    See `colour_evidence`, `random_walker` and `membrane_fill`.
    """

    name = "random_walker"
    title = "Colours and random walk"
    summary = "Segmentation from a scribble in the foreground and one in the background, in seconds."
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
        """Rounds of the walk."""
        return self.config.rounds

    def unsupported_reason(self, traits: Traits) -> str | None:
        """See `Method.unsupported_reason`."""
        if traits.mixing != "cutout":
            return "It cuts a foreground out of a background; these are sources that mix."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> RandomWalkerState:
        """See `Method.start`; nothing is random."""
        return RandomWalkerState(problem=problem.to(device))

    def advance(self, state: RandomWalkerState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`; yields the share of the foreground, and ends after the rounds."""
        import torch

        while state.step < self.iterations:
            with torch.no_grad():
                state.mask = self._mask(state)
                state.layers = _completed(state.problem, state.mask)
            state.step += 1
            yield {"foreground": state.mask.mean()}

    def _mask(self, state: RandomWalkerState) -> Tensor:
        """The soft mask (1, 1, H, W), at full size."""
        from torch.nn import functional as F

        from napari_bitsnet.core.guided_filter import apply_coefficients, linear_coefficients
        from napari_bitsnet.methods.random_walker.walk import attached, colour_evidence, enlarged, random_walk

        config, image = self.config, state.problem.observations
        assert state.problem.hints is not None  # the task sees to it
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
        """See `Method.solution`: ``"sources"``, foreground and background, and ``"opacity"``, the mask (1, 1, H, W)."""
        import torch

        image = state.problem.observations
        if state.mask is None or state.layers is None:
            return {"sources": image.expand(2, -1, -1, -1), "opacity": torch.full_like(image[:, :1], 0.5)}
        return {"sources": state.layers, "opacity": state.mask}


def _surer(hints: Tensor, mask: Tensor | None, size: tuple[int, int]) -> Tensor:
    """The marks, and what an earlier mask (1, 1, H, W) is sure of, (2, 1, h, w)."""
    import torch
    from torch.nn import functional as F

    if mask is None:
        return hints
    known = F.interpolate(mask, size=size, mode="area")
    return torch.maximum(hints, torch.cat([known > 0.98, known < 0.02]).to(hints))


def _completed(problem: Problem, mask: Tensor) -> Tensor:
    """Foreground and background (2, C, H, W), each filled in where the other one is."""
    import torch

    from napari_bitsnet.core.patches.sparse_fill import membrane_fill

    image = problem.observations
    layers = []
    for own in (mask > 0.9, mask < 0.1):
        known = own if problem.valid is None else own & problem.valid
        layers.append(membrane_fill(image, ~known) if bool(known.any()) else image)
    return torch.cat(layers)
