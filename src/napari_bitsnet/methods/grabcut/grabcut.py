"""Segment an image from scribbles by mixtures of colours and a minimum cut, and fill the hidden parts of both
layers."""

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

    from napari_bitsnet.methods.grabcut.cut import Cut

BACKGROUND = 1
"""Number, from 0, of the region that all unmarked pixels belong to at first."""
MOST = 6000
"""Largest number of pixels to which a mixture is fitted."""


class GrabCutConfig(BaseConfig):
    """Settings of the method."""

    size: int = setting(
        256,
        "Longer side at which the cut is computed; the outline is then refined at full size.",
        ge=32,
        le=1024,
        step=16,
        unit="px",
    )
    components: int = setting(5, "Colours (Gaussians) of a region.", ge=1, le=20, step=1)
    smoothness: float = setting(
        10.0, "Cost of the outline's length; higher values suppress specks.", ge=0, le=1000, step=5
    )
    rounds: int = setting(5, "Rounds of colours and outline in turn.", ge=1, le=50, step=1)
    steps: int = setting(80, "Steps of the cut in each round.", ge=10, le=2000, step=10)
    attached: bool = setting(True, "Keep only parts of a region that are connected to one of its scribbles.")
    radius: int = setting(
        2,
        "Radius of the guided filter that refines the outline, at the size of the cut.",
        ge=1,
        le=50,
        step=1,
        unit="px",
    )


@dataclass(kw_only=True)
class GrabCutState(State):
    """What is known between rounds.

    Parameters
    ----------
    regions : Tensor of shape (h, w), optional
        Number of the region of each pixel from 0, at the size of the cut; None before the first round.
    cuts : list of Cut
        One for each region against all others; for two regions, the foreground's alone.
    chances : Tensor of shape (K, 1, H, W), optional
        Membership of the regions, in [0, 1].
    layers : Tensor of shape (2, C, H, W), optional
        Foreground and background.
    """

    regions: Tensor | None = None
    cuts: list[Cut] | None = None
    chances: Tensor | None = None
    layers: Tensor | None = None


@METHODS.register("grabcut")
class GrabCut(StagedMethod[GrabCutState]):
    """Solve ``I = m F + (1 − m) B``: mixtures of colours and a minimum cut give m, and F and B are completed.

    The colours of each region are a mixture of Gaussians; a minimum cut weighs them against the length of the
    outline, and both are estimated in turn. Unmarked pixels belong to the background at first. See
    `fit_mixture` and `Cut`.

    References
    ----------
    Rother, Kolmogorov & Blake, "GrabCut: interactive foreground extraction using iterated graph cuts", ACM
    Trans. Graph. 23(3), 2004, doi:10.1145/1015706.1015720. Departures: the cut is solved by a primal-dual
    method at a reduced size, parts without a scribble are dropped, a guided filter takes the place of the
    border matting, and there may be more than two regions, each cut against all others.
    """

    name = "grabcut"
    title = "Colours and a cut"
    summary = "Segments an image from scribbles by the colours of its regions, within seconds."
    Config = GrabCutConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": GrabCutConfig(size=160, steps=60),
        "balanced": GrabCutConfig(),
        "best": GrabCutConfig(size=384, rounds=8, steps=120),
    }
    cost = Cost(0.3, 0.35, 1000)
    config: GrabCutConfig

    @property
    def iterations(self) -> int:
        """Return the number of rounds."""
        return self.config.rounds

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing != "cutout":
            return "It needs an image of a foreground before a background, got a mixture of sources."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> GrabCutState:
        """See `Method.start`; nothing is random."""
        return GrabCutState(problem=problem.to(device))

    def iterating(self, state: GrabCutState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: colours and cuts of a round, and after the last one both layers; a
        mask is an answer before the layers are. Returns the area fraction of the foreground."""
        from napari_bitsnet.core.cutouts import completing, reduced

        config, problem = self.config, state.problem
        assert problem.hints is not None  # the task requires hints
        seen, hints = reduced(problem.observations, problem.hints, config.size)
        cuts, chances = yield from self._cutting(state, seen, hints)
        state.cuts, state.regions = cuts, chances.argmax(dim=0)
        state.chances, state.layers, state.has_start = (
            self._at_full_size(problem, seen, hints, chances),
            None,
            True,
        )
        mask = state.chances[:1]
        if state.step == self.iterations - 1:
            yield Stage("layers", better=True)
            state.layers = yield from completing(problem.observations, mask, problem.valid)
        return {"foreground": mask.mean()}

    def _cutting(self, state: GrabCutState, seen: Tensor, hints: Tensor) -> Stages[tuple[list[Cut], Tensor]]:
        """Fit the colours of each region and cut; return the cuts and the membership of each region (K, h,
        w)."""
        import torch

        from napari_bitsnet.methods.grabcut.cut import Cut, edge_costs

        config, marks = self.config, _one_each(hints)
        place = f"round {state.step + 1} of {config.rounds}"
        yield Stage(f"{place}, colours")
        regions = state.regions
        if regions is None:
            unmarked = ~marks.any(dim=0)
            regions = marks.to(torch.uint8).argmax(dim=0).masked_fill(unmarked, BACKGROUND)
        densities = self._densities(seen, regions, hints)
        links = edge_costs(seen[0], config.smoothness)
        numbers = range(1 if len(marks) == 2 else len(marks))  # the background's cut mirrors the foreground's
        cuts = []
        for k in numbers:
            yield Stage(f"{place}, cut")
            begun = Cut.begin(links, (regions == k).to(seen)) if state.cuts is None else state.cuts[k]
            own, others = marks[k], _others(marks, k).any(dim=0)
            costs = _others(densities, k).amax(dim=0) - densities[k]
            cuts.append(begun.minimise(costs, links, (own, others), steps=config.steps))
        chances = torch.stack([cut.mask for cut in cuts])
        return cuts, torch.cat([chances, 1 - chances]) if len(cuts) == 1 else chances

    def _at_full_size(self, problem: Problem, seen: Tensor, hints: Tensor, chances: Tensor) -> Tensor:
        """Return the membership of each region (K, 1, H, W), with parts without a scribble dropped and
        outlines refined."""
        import torch

        from napari_bitsnet.core.cutouts import attached, obeying, refined

        marks = problem.hints
        assert marks is not None  # the task states them, given or automatic
        found = []
        for k, chance in enumerate(chances):
            if self.config.attached and k != BACKGROUND:
                chance = attached(chance, hints[k : k + 1])
            mask = refined(chance[None, None], seen, problem.observations, radius=self.config.radius)
            marked = torch.cat([marks[k : k + 1], _others(marks, k)])
            found.append(obeying(mask, marked))
            if len(chances) == 2:
                return torch.cat([found[0], 1 - found[0]])
        return torch.cat(found)

    def _densities(self, image: Tensor, regions: Tensor, hints: Tensor) -> Tensor:
        """Return the logarithm of the density of each pixel's colour in each region and its marks: (K, h,
        w)."""
        import torch

        from napari_bitsnet.methods.grabcut.colour_mixture import fit_mixture

        colours = image[0].flatten(1).T
        found = []
        for k, marks in enumerate(hints[:, 0] > 0):
            own = colours[((regions == k) | marks).flatten()]
            own = own[:: len(own) // MOST + 1]
            mixture = fit_mixture(own, self.config.components)
            found.append(mixture.log_density(colours).reshape(regions.shape))
        return torch.stack(found)

    def solution(self, state: GrabCutState) -> Answer:
        """See `Method.solution`: ``"sources"`` (foreground, background), ``"opacity"`` (the mask), and
        ``"regions"`` (K, 1, H, W), the membership of each region."""
        import torch

        image = state.problem.observations
        layers = image.expand(2, -1, -1, -1) if state.layers is None else state.layers
        if state.chances is None:
            return {"sources": layers, "opacity": torch.full_like(image[:, :1], 0.5)}
        return {"sources": layers, "opacity": state.chances[:1], "regions": state.chances}


def _others(planes: Tensor, k: int) -> Tensor:
    """Return all planes (K, ...) but number `k`."""
    import torch

    return torch.cat([planes[:k], planes[k + 1 :]])


def _one_each(hints: Tensor) -> Tensor:
    """Return marks (K, h, w) as bool; a pixel that several regions mark, as shrinking can do, stays with the
    rarest of them."""
    import torch

    marks = hints[:, 0] > 0
    rarest = marks.flatten(1).sum(dim=1).argsort(stable=True)
    free = torch.ones_like(marks[0])
    owned = torch.zeros_like(marks)
    for k in rarest.tolist():
        owned[k] = marks[k] & free
        free = free & ~marks[k]
    return owned
