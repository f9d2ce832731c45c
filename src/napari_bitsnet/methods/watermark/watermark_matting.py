"""Watermarks: the edges that all images share, or that one image repeats, taken out. A closed form in turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Overlay
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.methods import METHODS, Answer, BaseMethod, Cost

if TYPE_CHECKING:
    from torch import Tensor

FEWEST = 12
"""Pixels that a mark has at least."""
NO_MARK = Notice(
    "not_separated",
    "No mark was found: the images come back as they were.",
    "Give its colour and opacity, or a region closer around it.",
)
NEARLY = 0.04
"""Estimated colours this near black or white in a channel are taken to be so."""


class WatermarkMattingConfig(BaseConfig):
    """Settings of the method."""

    rounds: int = setting(2, "Rounds of opacity and colour in turn.", ge=1, le=10, step=1)
    length: float = setting(
        1.0, "Price of an outline's length: higher leaves out specks.", ge=0, le=20, step=0.1
    )
    radius: int = setting(
        9, "Radius of the windows that say how much an edge is trusted.", ge=1, le=99, step=1, unit="px"
    )
    outline: Literal["undo", "fill"] = setting(
        "undo", "Soft outlines: undo the mark there too, or fill them in, which suits compressed images."
    )
    search_steps: int = setting(200, "Steps of the search for the mark.", ge=20, le=5000, step=20)
    fit_steps: int = setting(150, "Steps of the fit of its opacity.", ge=20, le=5000, step=10)
    fill_steps: int = setting(20, "Steps of filling in what an opaque mark hides.", ge=2, le=500, step=2)
    fill_rounds: int = setting(
        6, "Rounds of going on from there with texture from similar patches.", ge=0, le=50, step=1
    )


@dataclass(kw_only=True)
class WatermarkMattingState(State):
    """What is known of the mark so far: colour (C,), opacity (H, W), and the clean images (M, C, H, W)."""

    colour: Tensor
    opacity: Tensor | None = None
    clean: Tensor | None = None


@METHODS.register("watermark_matting")
class WatermarkMatting(BaseMethod[WatermarkMattingState]):
    """``I_m = (1 − a) C_m + a W``: a minimum cut finds the mark, its outline is softened, opacity and colour in turn.

    Where the mark is opaque, what it hides is filled in from around. See `find_mark`, `soften_mark`, `mark_colour`,
    `sparse_fill`, `refine_fill`. A colour that is not known is white where there is one image; with several the corner of the colour
    cube that explains most is refined.
    """

    name = "watermark_matting"
    title = "Shared edges"
    summary = "Watermarks: the edges that a mark of one colour adds, found and taken out in seconds."
    Config = WatermarkMattingConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": WatermarkMattingConfig(rounds=1, search_steps=120, fit_steps=100, fill_rounds=2),
        "balanced": WatermarkMattingConfig(),
        "best": WatermarkMattingConfig(rounds=3, search_steps=400, fit_steps=300, fill_steps=40),
    }
    cost = Cost(0.5, 7.0, 200)
    config: WatermarkMattingConfig

    @property
    def iterations(self) -> int:
        """Rounds, and one that fills in what is hidden."""
        return self.config.rounds + 1

    def unsupported_reason(self, traits: Traits) -> str | None:
        """See `Method.unsupported_reason`."""
        if traits.mixing != "overlay":
            return "It takes images that carry a mark; these are sources that mix."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> WatermarkMattingState:
        """See `Method.start`; nothing is random."""
        problem = problem.to(device)
        mixing, images = problem.mixing, problem.observations
        assert isinstance(mixing, Overlay)  # see `unsupported_reason`
        colour = images.new_tensor(mixing.colour or (1.0,) * images.shape[1])
        return WatermarkMattingState(problem=problem, colour=colour)

    def advance(self, state: WatermarkMattingState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`; yields the mean opacity, and ends after the filling."""
        import torch

        while state.step < self.iterations:
            with torch.no_grad():
                if state.step < self.config.rounds:
                    self._turn(state)
                else:
                    self._fill(state)
            state.step += 1
            assert state.opacity is not None
            yield {"mean opacity": state.opacity.mean()}

    def _turn(self, state: WatermarkMattingState) -> None:
        """One round: the colour, then where the mark is and how opaque, then what is below."""
        import torch

        from napari_bitsnet.methods.watermark.mark import (
            best_mark,
            log_edges,
            mark_colour,
            remove_mark,
            soften_mark,
        )

        config, problem = self.config, state.problem
        images, mixing = problem.observations, problem.mixing
        assert isinstance(mixing, Overlay)
        region, given = _region(problem), mixing.opacity
        if mixing.colour is None and len(images) > 1:
            if state.opacity is None:
                state.colour = self._likeliest_colour(images, region)
            elif bool(state.opacity.any()):
                colour, given = mark_colour(images, state.opacity)
                state.colour = _snapped(colour)
                if mixing.opacity is not None or bool(((state.colour == 0) | (state.colour == 1)).all()):
                    given = mixing.opacity  # with the colour sure, edges say more of the opacity
        edges = log_edges(images, state.colour, radius=config.radius)
        options = {"length": config.length, "steps": config.search_steps}
        soft, _, guess = best_mark(edges, region, **options)
        mark = soft > 0.5
        if int(mark.sum()) < FEWEST:
            state.opacity = torch.zeros_like(soft)
            state.notices = [NO_MARK]
        else:
            state.opacity = soften_mark(
                edges, mark, region, given, guess, length=config.length, steps=config.fit_steps
            )
        state.clean, _, _ = remove_mark(images, state.opacity, state.colour)

    def _likeliest_colour(self, images: Tensor, region: Tensor) -> Tensor:
        """The corner of the colour cube with which the mark explains most."""
        from napari_bitsnet.methods.watermark.mark import find_mark, log_edges

        best, lowest = images.new_ones(images.shape[1]), 0.0
        for corner in product((1.0, 0.0), repeat=images.shape[1]):
            colour = images.new_tensor(corner)
            edges = log_edges(images, colour, radius=self.config.radius)
            for opacity in (0.25, 0.45, 0.7):
                steps = max(20, self.config.search_steps // 2)
                energy = find_mark(edges, region, opacity, length=self.config.length, steps=steps)[1]
                if energy < lowest:
                    best, lowest = colour, energy
        return best

    def _fill(self, state: WatermarkMattingState) -> None:
        """Fill in what the mark hides altogether."""
        from napari_bitsnet.core.patches.inpainting import refine_fill
        from napari_bitsnet.core.patches.sparse_fill import sparse_fill
        from napari_bitsnet.methods.watermark.mark import remove_mark

        assert state.opacity is not None
        images = state.problem.observations
        clean, hidden, state.opacity = remove_mark(
            images, state.opacity, state.colour, keep_outline=self.config.outline == "undo"
        )
        filled = sparse_fill(clean, hidden, steps=self.config.fill_steps)
        state.clean = refine_fill(filled, hidden, rounds=self.config.fill_rounds)

    def solution(self, state: WatermarkMattingState) -> Answer:
        """See `Method.solution`: ``"sources"``, the M clean images and the mark's colour, and ``"opacity"`` (1, 1, H, W)."""
        import torch

        images = state.problem.observations
        clean = images if state.clean is None else state.clean
        mark = state.colour[None, :, None, None].expand_as(images[:1])
        opacity = torch.zeros_like(images[:1, :1]) if state.opacity is None else state.opacity[None, None]
        return {"sources": torch.cat([clean, mark]), "opacity": opacity}


def _region(problem: Problem) -> Tensor:
    """Where the mark may be (H, W): where hints say so, away from the border and from missing pixels."""
    import torch

    size = problem.observations.shape[-2:]
    region = torch.zeros(size, dtype=torch.bool, device=problem.observations.device)
    region[1:-1, 1:-1] = True
    if problem.hints is not None:
        region &= problem.hints[-1, 0] > 0
    if problem.valid is not None:
        region &= problem.valid[0, 0]
    return region


def _snapped(colour: Tensor) -> Tensor:
    """Take a colour that is nearly black or white in a channel as such."""
    colour = colour.where(colour > NEARLY, colour.new_zeros(()))
    return colour.where(colour < 1 - NEARLY, colour.new_ones(()))
