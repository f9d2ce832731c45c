"""From a fitted model to the answer: what guides explain, how far it counts, and who gets the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_bitsnet.methods.guided import alike, holdout, shares
from napari_bitsnet.methods.guided.attribution import attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_bitsnet.core.problem import Problem
    from napari_bitsnet.methods import Answer
    from napari_bitsnet.methods.guided.context import ContextFit
    from napari_bitsnet.methods.guided.correction import Correction
    from napari_bitsnet.methods.guided.model import GuidedModel
    from napari_bitsnet.methods.guided.network import PixelNetwork
    from napari_bitsnet.methods.guided.units import UnitFit

ALONE = 0.5
"""Factor of the weight of context where one source has no guide: there, context also learns what that source
shares with the guide's surroundings."""


class Parts:
    """What each guide explains, refined step by step.

    Parameters
    ----------
    problem : Problem
        The problem that was fitted.
    model : GuidedModel
        The fitted model, at the problem's size.
    fitted : Tensor of shape (K, C, H, W)
        What it explains, see `shares.explained_by`.
    energy : float
        Part of the gradients' energy that the model explains in held-out blocks.

    Attributes
    ----------
    explained : Tensor of shape (K, C, H, W)
        What each source's guide explains, of mean zero, before it is shrunk.
    complete : bool
        Whether every source has a guide.
    shares : list of float
        Share of each source in the rest.
    common : float
        Part of what guides explain that could belong to any of them, 0 where it is not known.
    kept : float
        Part of the sources' difference that is kept where one has no guide, see `alike.distance_kept`.
    context_weight : float
        Weight of the fit with context, 0 to `holdout.CONTEXT_SHARE`.
    networks_weight : float
        Weight of the networks' changes, 0 to `holdout.NETWORK_SHARE`.
    correction : Correction or None
        The trained network's change.
    """

    def __init__(self, problem: Problem, model: GuidedModel, fitted: Tensor, energy: float) -> None:
        self.problem, self.model, self.fitted = problem, model, fitted
        self.energy = self.least_energy = min(1.0, max(0.0, energy))
        self.explained = fitted.clone()
        self.guided = [term.source for term in model.terms]
        self.complete = len(self.guided) == problem.n_sources
        self.shares = shares.rest_shares(self.energy, problem.n_sources, self.guided)
        self.context_weight = self.networks_weight = 0.0
        self.common = 0.0
        self.kept = 1.0
        if not self.complete:
            together = fitted.sum(dim=0, keepdim=True)
            self.kept = alike.distance_kept(alike.resemblance(together, problem.observations, problem.valid))
        self.correction: Correction | None = None
        self._attributed: Tensor | None = None
        self._aligned: list[Tensor] | None = None

    def aligned(self) -> list[Tensor]:
        """Return each guide as it lies on the observation, (1, C_g, H, W)."""
        if self._aligned is None:
            self._aligned = [self.model.aligned_guide(term) for term in self.model.terms]
        return self._aligned

    def add_context(self, fit: ContextFit) -> None:
        """Blend in what blurred colours explain, with the weight that held-out blocks give it."""
        self.least_energy = max(0.0, min(self.energy, fit.with_context))
        self.common = holdout.common_part(fit.with_context, fit.own)
        self.context_weight = holdout.context_weight(fit.with_context, fit.without)
        self.context_weight *= self.distinct * holdout.balanced_weight(fit.own)
        self._blend(fit, self.context_weight if self.complete else ALONE * self.context_weight)

    def add_units(self, fit: UnitFit) -> None:
        """Blend in what random units explain, as far as context helps."""
        self._blend(fit, self.units_weight)

    def _blend(self, fit: ContextFit | UnitFit, weight: float) -> None:
        if not weight:
            return
        for source, part in zip(self.guided, fit.explain(self.aligned()), strict=True):
            part = shares.centred(part[None], self.problem.valid)[0]
            self.explained[source] = torch.lerp(self.explained[source], part, weight)

    @property
    def distinct(self) -> float:
        """How far sources can be told apart, 0 to 1."""
        return holdout.distinct_weight(self.common)

    @property
    def units_weight(self) -> float:
        """Weight of the fit of random units, 0 to `holdout.UNITS_SHARE`; 0 where one source has no guide."""
        if not self.complete:
            return 0.0
        return holdout.UNITS_SHARE * holdout.surroundings_weight(self.context_weight, self.energy)

    @property
    def well_explained(self) -> bool:
        """Whether all sources have guides, which explain so much that densities may drift."""
        return self.complete and self.energy >= holdout.UNITS_ENERGY

    @property
    def drifting_network_weight(self) -> float:
        """Weight of networks with a drift: as far as context helps."""
        return holdout.NETWORK_SHARE * self.context_weight / holdout.CONTEXT_SHARE

    def network_weight(self, error: float) -> float:
        """Return the weight of networks without a drift, from their error in held-out blocks relative to the
        fit's."""
        weight = holdout.network_weight(error)
        least = holdout.NETWORK_FROM if self.complete else (0.4, 0.6)
        return weight * self.distinct * self.kept * holdout.ramp(self.energy, *least)

    def add_network(self, networks: Sequence[PixelNetwork], weight: float) -> None:
        """Add the networks' changes with this weight."""
        self.networks_weight = weight
        for source, network, guide in zip(self.guided, networks, self.aligned(), strict=True):
            change = shares.centred(network.at_full_size(guide), self.problem.valid)[0]
            self.explained[source].add_(change, alpha=weight)

    @property
    def correction_weight(self) -> float:
        """Weight of the trained network's change: with two guides, that for which context does not help."""
        if self.complete:
            return 1 - self.context_weight / holdout.CONTEXT_SHARE
        return holdout.correction_weight(self.energy, self.context_weight, self.networks_weight)

    def attribute(self) -> None:
        """Divide the rest of two guided sources by the edges of what their guides explain, as far as these
        can be trusted."""
        if not self.complete or self.problem.n_sources != 2:
            return
        valid = self.problem.valid
        explained = self._shrunk()
        rest = shares.centred(self.problem.observations - explained.sum(dim=0, keepdim=True), valid)
        first = attribute(rest, (explained[0], explained[1]), valid) - rest[0] / 2
        self._attributed = self.distinct * self.least_energy**2 * torch.stack([first, -first])

    def answer(self) -> Answer:
        """Return sources, explained and unexplained parts; see `shares.split`."""
        found = self._divided()
        if self.kept < 1:
            found["sources"] = alike.drawn_together(found["sources"], self.kept)
        return found

    def _divided(self) -> Answer:
        """Return the answer before sources that look alike are drawn together."""
        explained, moved = self._shrunk(), self._attributed
        darkest = shares.dark_weight(self.energy, complete=self.complete)
        if self.correction is None:
            return shares.split(self.problem, explained, self.shares, moved=moved, darkest=darkest)
        weight = self.correction_weight
        if self.complete:
            change = shares.add_correction(explained, self.correction, self.shares, weight)
            moved = change if moved is None else change + moved
            return shares.split(self.problem, explained, self.shares, moved=moved, darkest=darkest)
        own = shares.split(self.problem, explained, self.shares, darkest=darkest)
        corrected = shares.explained_shares(
            self.problem, self.model, self.correction, explained=self.fitted, darkest=darkest
        )
        return {name: torch.lerp(part, corrected[name], weight) for name, part in own.items()}

    def _shrunk(self) -> Tensor:
        """Return what guides explain, as far as it is reliable."""
        doubt = shares.doubt(self.problem.n_sources, len(self.guided))
        return shares.reliability(self.energy, doubt) * self.explained
