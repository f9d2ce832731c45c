"""Remove watermarks: find the edges that a mark adds to images, then estimate its opacity and colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, product
from typing import TYPE_CHECKING, Literal

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.mixing import Overlay
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages, telling
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.methods.watermark.mark import Mark

FEWEST = 12
"""Smallest number of pixels of a mark."""
NO_MARK = Notice(
    "not_separated",
    "No mark was found, so the images are returned unchanged.",
    "Set its colour and opacity, or draw a region closer around it.",
)
ROUGHLY = (0.25, 0.45, 0.7)
"""Opacities that the search for the mark's colour tries."""
WHITE_FIRST = 1.12
"""Factor by which a black mark has to explain a single image better than a white one: what lies around a
white mark resembles a black one."""
LEAST_REMOVED, LEAST_REMOVED_GUESSED = 0.5, 0.8
"""Least part of the edges along the mark's outline that its removal has to take away, or the input is kept:
for several images or a given colour, and for a single image whose mark's colour is a guess."""
NEARLY = 0.04
"""Channels of an estimated colour that are this close to 0 or 1 are set to it."""


class WatermarkMattingConfig(BaseConfig):
    """Settings of the method."""

    rounds: int = setting(2, "Rounds that estimate opacity and colour in turn.", ge=1, le=10, step=1)
    length: float = setting(
        1.0, "Cost of the outline's length; higher values suppress specks.", ge=0, le=20, step=0.1
    )
    radius: int = setting(
        9, "Radius of the windows that estimate the weights of edges.", ge=1, le=99, step=1, unit="px"
    )
    outline: Literal["undo", "fill"] = setting(
        "undo", "Soft outlines: undo the mark there, or fill them, which suits compressed images."
    )
    search_steps: int = setting(200, "Steps of the search for the mark.", ge=20, le=5000, step=20)
    fit_steps: int = setting(150, "Steps of the fit of the mark's opacity.", ge=20, le=5000, step=10)
    fill_steps: int = setting(20, "Steps that fill the area hidden by an opaque mark.", ge=2, le=500, step=2)
    fill_rounds: int = setting(
        6, "Rounds that add texture from similar patches to the filled area.", ge=0, le=50, step=1
    )


@dataclass(kw_only=True)
class WatermarkMattingState(State):
    """Current estimates: the mark's colour (C,), its opacity (H, W), and the clean images (M, C, H, W).

    Before there are any, `guess` is the mark that explains the images best so far.
    """

    colour: Tensor
    opacity: Tensor | None = None
    clean: Tensor | None = None
    guess: Mark | None = None


@METHODS.register("watermark_matting")
class WatermarkMatting(StagedMethod[WatermarkMattingState]):
    """Solve ``I_m = (1 − a) C_m + a W``: a minimum cut finds the mark, then opacity and colour alternate.

    Areas hidden by an opaque mark are filled from their surroundings. See `find_mark`, `softening_mark`,
    `mark_colour`, `sparse_fill` and `refining_fill`. An unknown colour is the corner of the colour cube with
    the lowest energy; it is refined for several images, and white or black for one. An image whose edges
    along the mark's outline are not taken away is returned unchanged (`part_removed`).
    """

    name = "watermark_matting"
    title = "Shared edges"
    summary = "Finds and removes a watermark of one colour by the edges that it adds, within seconds."
    Config = WatermarkMattingConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": WatermarkMattingConfig(rounds=1, search_steps=120, fit_steps=100, fill_rounds=2),
        "balanced": WatermarkMattingConfig(),
        "best": WatermarkMattingConfig(rounds=3, search_steps=400, fit_steps=300, fill_steps=40),
    }
    cost = Cost(1.4, 7.7, 200)
    config: WatermarkMattingConfig

    @property
    def iterations(self) -> int:
        """Return the number of rounds plus 1 for the filling."""
        return self.config.rounds + 1

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing != "overlay":
            return "It needs images that carry a watermark, got a mixture of sources."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> WatermarkMattingState:
        """See `Method.start`; nothing is random."""
        problem = problem.to(device)
        mixing, images = problem.mixing, problem.observations
        assert isinstance(mixing, Overlay)  # see `unsupported_reason`
        colour = images.new_tensor(mixing.colour or (1.0,) * images.shape[1])
        return WatermarkMattingState(problem=problem, colour=colour)

    def iterating(self, state: WatermarkMattingState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: each colour and opacity that is tried, and at last the filling; the
        first mark that is found is an answer. Returns the mean opacity."""
        yield from (self._turn if state.step < self.config.rounds else self._fill)(state)
        assert state.opacity is not None
        return {"mean opacity": state.opacity.mean()}

    def _turn(self, state: WatermarkMattingState) -> Stages[None]:
        """Run one round: estimate the colour, the mark's outline and opacity, and the images below."""
        import torch

        from napari_bitsnet.methods.watermark.edges import log_edges
        from napari_bitsnet.methods.watermark.mark import (
            TRIED,
            enlarged,
            finding_best_mark,
            near_mark,
            reduced,
        )
        from napari_bitsnet.methods.watermark.outline import softening_mark
        from napari_bitsnet.methods.watermark.removal import mark_colour, remove_mark

        config, problem = self.config, state.problem
        images, mixing = problem.observations, problem.mixing
        assert isinstance(mixing, Overlay)
        region, given, before = _region(problem), mixing.opacity, state.colour
        if mixing.colour is None:
            if state.opacity is None:
                state.colour = yield from self._likeliest_colour(state, region)
            elif len(images) > 1 and bool(state.opacity.any()):
                colour, given = mark_colour(images, state.opacity)
                state.colour = _snapped(colour)
                if mixing.opacity is not None or bool(((state.colour == 0) | (state.colour == 1)).all()):
                    given = mixing.opacity  # once the colour is certain, the edges give the better opacity
        if state.opacity is not None and torch.equal(state.colour, before) and given == mixing.opacity:
            return  # the round before answered the same question
        searching = partial(finding_best_mark, length=config.length, steps=config.search_steps)
        numbers = count(1)

        def keep(better: Mark | None) -> Stage:
            self._keep(state, better and better._replace(mask=enlarged(better.mask, region)))
            return Stage(f"round {state.step + 1} of {config.rounds}, opacity {next(numbers)}")

        near, start = region, None
        tried: Sequence[float] = TRIED
        small, allowed = reduced(images, region)
        if len(allowed) < len(region):
            rough_edges = log_edges(small, state.colour, radius=config.radius)
            rough = yield from telling(searching(rough_edges, allowed), keep)
            if rough.energy < 0:
                near, start, tried = near_mark(rough, region)
        edges = log_edges(images, state.colour, radius=config.radius)
        search = searching(edges, near, tried=tried, start=start)
        found: Mark = yield from telling(search, keep)
        soft = found.mask
        mark = soft > 0.5
        if int(mark.sum()) < FEWEST:
            state.opacity = torch.zeros_like(soft)
            state.notices = [NO_MARK]
        else:
            self._keep(state, found)
            state.opacity = yield from softening_mark(
                edges, mark, region, given, found.opacity, length=config.length, steps=config.fit_steps
            )
        state.clean, _, _ = remove_mark(images, state.opacity, state.colour)

    @staticmethod
    def _keep(state: WatermarkMattingState, mark: Mark | None) -> None:
        """Keep a mark that explains more than it costs as the answer, as long as there is no better one."""
        if mark is not None and mark.energy < 0 and state.clean is None:
            state.guess, state.has_start = mark, True

    def _likeliest_colour(self, state: WatermarkMattingState, region: Tensor) -> Stages[Tensor]:
        """Return the corner of the colour cube with the lowest energy of the mark; of a single image, white
        or black."""
        from napari_bitsnet.methods.watermark.edges import log_edges
        from napari_bitsnet.methods.watermark.mark import Mark, enlarged, find_mark, reduced

        images, allowed = reduced(state.problem.observations, region)
        best, lowest = images.new_ones(images.shape[1]), 0.0
        corners = product((1.0, 0.0), repeat=images.shape[1])
        for corner in (each for each in corners if len(images) > 1 or len(set(each)) == 1):
            colour = images.new_tensor(corner)
            edges = log_edges(images, colour, radius=self.config.radius)
            for opacity in ROUGHLY if len(images) > 1 else (*ROUGHLY, 0.9):
                steps = max(20, self.config.search_steps // 2)
                yield Stage(f"colour {''.join(f'{value:.0f}' for value in corner)}, opacity {opacity:g}")
                mask, energy = find_mark(edges, allowed, opacity, length=self.config.length, steps=steps)
                other = len(images) == 1 and bool((colour != best).any())
                if energy < (WHITE_FIRST if other else 1) * lowest:
                    best, lowest, state.colour = colour, energy, colour
                    self._keep(state, Mark(enlarged(mask, region), energy, opacity))
        return best

    def _fill(self, state: WatermarkMattingState) -> Stages[None]:
        """Fill the area that the mark hides completely."""
        from napari_bitsnet.core.patches.inpainting import refining_fill
        from napari_bitsnet.core.patches.sparse_fill import sparse_fill
        from napari_bitsnet.methods.watermark.removal import remove_mark

        assert state.opacity is not None
        images = state.problem.observations
        yield Stage("hidden areas")
        clean, hidden, opacity = remove_mark(
            images, state.opacity, state.colour, keep_outline=self.config.outline == "undo"
        )
        filled = sparse_fill(clean, hidden, steps=self.config.fill_steps)
        clean = yield from refining_fill(filled, hidden, rounds=self.config.fill_rounds)
        self._check(state, clean, opacity)

    def _check(self, state: WatermarkMattingState, clean: Tensor, opacity: Tensor) -> None:
        """Keep the input of each image whose edges at the mark are not taken away, and say so."""
        import torch

        from napari_bitsnet.methods.watermark.check import part_removed

        problem = state.problem
        images, mixing = problem.observations, problem.mixing
        assert isinstance(mixing, Overlay)
        known = len(images) > 1 or mixing.colour is not None
        least = LEAST_REMOVED if known else LEAST_REMOVED_GUESSED
        parts = [part_removed(image, found, opacity) for image, found in zip(images, clean, strict=True)]
        kept = [m for m, part in enumerate(parts) if part < least]
        state.clean, state.opacity = clean.clone(), opacity
        if not bool(opacity.any()) or not kept:
            return
        state.clean[kept] = images[kept]
        if len(kept) == len(images):
            state.opacity = torch.zeros_like(opacity)
        state.notices = [_kept(kept, len(images), [parts[m] for m in kept])]

    def solution(self, state: WatermarkMattingState) -> Answer:
        """See `Method.solution`: ``"sources"`` (M clean images, the mark's colour) and ``"opacity"``."""
        import torch

        from napari_bitsnet.methods.watermark.removal import remove_mark

        images = state.problem.observations
        clean, opacity = state.clean, state.opacity
        if clean is None and state.guess is not None:
            clean, _, opacity = remove_mark(images, state.guess.opacity * state.guess.mask, state.colour)
        clean = images if clean is None else clean
        mark = state.colour[None, :, None, None].expand_as(images[:1])
        cover = torch.zeros_like(images[:1, :1]) if opacity is None else opacity[None, None]
        return {"sources": torch.cat([clean, mark]), "opacity": cover}


def _kept(images: Sequence[int], n: int, parts: Sequence[float]) -> Notice:
    """Return the notice of images, numbered from 0 of `n`, that are returned unchanged."""
    numbers = " and ".join(str(m + 1) for m in images)
    which = (
        "the image is" if n == 1 else f"image {numbers} is" if len(images) == 1 else f"images {numbers} are"
    )
    return Notice(
        "not_separated",
        "The removal of the mark took away {part:.0%} of the edges along its outline, which is too little, "
        f"so {which} returned unchanged.",
        "Set the mark's colour and opacity, draw a region closer around it, or add images with the same "
        "mark.",
        {"part": [max(part, 0.0) for part in parts] if len(parts) > 1 else max(parts[0], 0.0)},
    )


def _region(problem: Problem) -> Tensor:
    """Return the mark's region (H, W): inside the hints, away from the border and missing pixels."""
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
    """Round channels of a colour that are nearly 0 or 1."""
    colour = colour.where(colour > NEARLY, colour.new_zeros(()))
    return colour.where(colour < 1 - NEARLY, colour.new_ones(()))
