"""Separate kinds of images that were learnt from unpaired folders, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.methods.sils.network import SILSNetwork


class SILSConfig(BaseConfig):
    """Settings of the method."""

    weights: Path | None = setting(
        None, "File with weights for your kinds of images, from the training sils."
    )


@dataclass(kw_only=True)
class SILSState(State):
    """State of a run.

    Parameters
    ----------
    network : SILSNetwork
        Trained.
    facts : mapping
        What its file says of it.
    sources : Tensor of shape (K, C, H, W), optional
        Answer; None before the network has run.
    """

    network: SILSNetwork
    facts: Mapping[str, Any]
    sources: Tensor | None = None


@METHODS.register("sils")
class SILS(StagedMethod[SILSState]):
    """Decode each image from the mixture's code in the space of its kind; see `SILSNetwork`.

    Notes
    -----
    Sources need not add up exactly to the mixture: what is missing is in the residual.
    """

    name = "sils"
    title = "Unpaired kinds (SILS)"
    summary = (
        "Separates kinds of images that it learnt from folders in which nothing belongs together; "
        "needs your own weights."
    )
    Config = SILSConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": SILSConfig(),
        "balanced": SILSConfig(),
        "best": SILSConfig(),
    }
    cost = Cost(0.3, 0.4, 300)
    config: SILSConfig

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing != "linear" or traits.n_observations != 1:
            return "SILS separates one image whose sources add up."
        if traits.n_guides or traits.has_hints:
            return "SILS uses neither guides nor hints."
        if self.config.weights is None:
            return (
                "SILS needs weights for your kinds of images: train them (napari-bitsnet train sils "
                "--mixtures DIR --layer DIR --layer DIR -o FILE) and give weights=FILE."
            )
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> SILSState:
        """See `Method.start`; nothing is random.

        Raises
        ------
        FileNotFoundError, ValueError
            If there are no weights, or they are for other kinds of images.
        """
        from napari_bitsnet.core.networks.kinds import check_kinds
        from napari_bitsnet.core.networks.origin import remember
        from napari_bitsnet.methods.sils.weights_file import load_weights

        path = self.config.weights
        if path is None:
            raise ValueError("Expected a file of weights, got none: give weights=FILE.")
        network, facts = load_weights(path)
        check_kinds(path, facts, problem)
        named = ", ".join(f"source {k + 1} is {kind}" for k, kind in enumerate(facts["kinds"]))
        text = f"{named[0].upper()}{named[1:]}: the kinds that {path.name} was trained for."
        network = remember(network.to(device).eval().requires_grad_(False), _network_on, path, device)
        state = SILSState(problem=problem.to(device), network=network, facts=facts)
        state.notices.append(Notice("kinds", text))
        return state

    def warm_start(self, problem: Problem, previous: SILSState, *, device: str, seed: int) -> SILSState:
        """See `Method.warm_start`: the network is loaded once for all slices."""
        return SILSState(
            problem=problem.to(device),
            network=previous.network,
            facts=previous.facts,
            notices=list(previous.notices),
        )

    def iterating(self, state: SILSState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: each kind; returns the mean absolute residual.

        An image is seen whole: the normalisation is over all pixels, so that tiles would have other answers.
        """
        import torch

        mixture, network = state.problem.observations, state.network
        grey = network.channels == 1 and mixture.shape[1] > 1  # each channel is separated by itself
        seen = mixture.transpose(0, 1) if grey else mixture.expand(-1, network.channels, -1, -1)
        found = []
        for kind, name in enumerate(state.facts["kinds"]):
            yield Stage(name)
            image = network.of_any_size(kind, seen)
            if grey:
                image = image.transpose(0, 1)
            found.append(image if image.shape[1] == mixture.shape[1] else image.mean(dim=1, keepdim=True))
        state.sources = torch.cat(found)
        return {"residual": (mixture[0] - state.sources.sum(dim=0)).abs().mean()}

    def solution(self, state: SILSState) -> Answer:
        if state.sources is None:
            shares = state.problem.observations / state.problem.n_sources
            return {"sources": shares.expand(state.problem.n_sources, -1, -1, -1)}
        return {"sources": state.sources}


def _network_on(path: Path, device: str) -> SILSNetwork:
    from napari_bitsnet.methods.sils.weights_file import load_weights

    return load_weights(path)[0].to(device).eval().requires_grad_(False)
