"""Separate images of known kinds by trained streams that interact, in one pass: reflections, or a
laboratory's own kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.networks.facts import facts_of
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod
from napari_bitsnet.methods.ytmt.weights_file import shipped_weights

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.stages import Stages
    from napari_bitsnet.methods.ytmt.separation import Separator


class YTMTConfig(BaseConfig):
    """Settings of the method."""

    views: int = setting(
        2,
        "Number of mirror images whose estimates are averaged; their disagreement is shown.",
        ge=1,
        le=4,
        step=1,
    )
    weights: Path | None = setting(
        None,
        "File with trained weights for known kinds of images; none takes the package's, for reflections.",
    )


@dataclass(kw_only=True)
class YTMTState(State):
    """State of a run.

    Parameters
    ----------
    separator : Separator
        Trained network, with the features that it needs.
    sources, disagreement : Tensor of shape (K, C, H, W) and (1, 1, H, W), optional
        Answer, and how far mirror images differ; None before the network has run.
    """

    separator: Separator
    sources: Tensor | None = None
    disagreement: Tensor | None = None


@METHODS.register("ytmt")
class YTMT(StagedMethod[YTMTState]):
    """Estimate each image by a stream of its own; see `Exchange` for how the streams interact."""

    name = "ytmt"
    title = "Trained streams (YTMT)"
    summary = (
        "Separates kinds of images that it was trained for: reflections, or your own kinds "
        "with your own weights."
    )
    Config = YTMTConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": YTMTConfig(views=1),
        "balanced": YTMTConfig(),
        "best": YTMTConfig(views=4),
    }
    cost = Cost(0.15, 7.4, 400)
    config: YTMTConfig

    def unsupported_reason(self, traits: Traits) -> str | None:
        """See `Method.unsupported_reason`; a file of weights is asked which kinds it knows."""
        if traits.mixing not in ("reflection", "linear") or traits.n_observations != 1:
            return "The trained streams separate one image in which images of known kinds are superimposed."
        if traits.n_guides or traits.has_hints:
            return "The trained streams use neither guides nor hints."
        path = self.config.weights
        if traits.mixing == "linear":
            if path is None:
                return (
                    "The package's weights are for reflections (task reflection); for your own kinds of "
                    "images, train weights (napari-bitsnet train ytmt --source DIR --source DIR -o FILE) and "
                    "give weights=FILE."
                )
            kinds = facts_of(path).get("kinds")
            if kinds is not None and len(kinds) != traits.n_sources:
                return (
                    f"The weights in {path} know {len(kinds)} kinds of images ({', '.join(kinds)}), and "
                    f"{traits.n_sources} sources are wanted: set n_sources={len(kinds)}."
                )
        elif path is None and not shipped_weights().is_file():
            return "This installation has no trained weights for reflections: give weights=FILE."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> YTMTState:
        """See `Method.start`; nothing is random.

        Raises
        ------
        FileNotFoundError, ValueError
            If there are no weights, or they are for other kinds of images.
        """
        from napari_bitsnet.core.networks.origin import remember

        path = self.config.weights or shipped_weights()
        where = (self.config.weights, device)
        separator = remember(_separator_on(*where), _separator_on, *where)
        _check_purpose(path, separator.facts, problem)
        return YTMTState(problem=problem.to(device), separator=separator)

    def warm_start(self, problem: Problem, previous: YTMTState, *, device: str, seed: int) -> YTMTState:
        """See `Method.warm_start`: the network is loaded once for all slices."""
        return YTMTState(problem=problem.to(device), separator=previous.separator)

    def iterating(self, state: YTMTState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: each view and each tile; returns the mean disagreement of the
        views."""
        state.sources, state.disagreement = yield from state.separator.stages(
            state.problem.observations, self.config.views
        )
        return {"disagreement": state.disagreement.mean()}

    def solution(self, state: YTMTState) -> Answer:
        """See `Method.solution`; also ``"disagreement"`` (1, 1, H, W), on the mixture's scale, with several
        views."""
        if state.sources is None or state.disagreement is None:
            shares = state.problem.observations / state.problem.n_sources
            return {"sources": shares.expand(state.problem.n_sources, -1, -1, -1)}
        found = {"sources": state.sources}
        return found if self.config.views == 1 else {**found, "disagreement": state.disagreement}

    def source_kinds(self, state: YTMTState) -> tuple[str, ...]:
        """See `Method.source_kinds`: those that the weights were trained for."""
        return tuple(state.separator.facts["kinds"])


def _separator_on(weights: Path | None, device: str) -> Separator:
    from napari_bitsnet.methods.ytmt.separation import Separator

    return Separator(weights or shipped_weights(), device=device)


def _check_purpose(path: Path, facts: Mapping[str, Any], problem: Problem) -> None:
    """Raise a ValueError if weights are for something else than this problem."""
    from napari_bitsnet.core.networks.kinds import check_kinds

    kinds = ", ".join(facts["kinds"])
    if facts["mixing"] == "reflection" and problem.mixing.name != "reflection":
        raise ValueError(
            f"Expected weights for images that add up, got {path} for {kinds}: use the task reflection, or "
            "other weights."
        )
    if facts["mixing"] != "reflection" and problem.mixing.name == "reflection":
        raise ValueError(
            f"Expected weights for transmission and reflection, got {path} for {kinds}: use the task "
            "separate, or other weights."
        )
    check_kinds(path, facts, problem)
