"""Guides: what a photograph's colours explain of a superimposed image. A closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages, exhaust, named
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod
from napari_bitsnet.methods.guided.correction import correcting
from napari_bitsnet.methods.guided.settings import MOST_PIXELS, ROUGH, GuidedRegressionConfig
from napari_bitsnet.methods.guided.shares import explained_by, explained_shares

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.notices import Notice
    from napari_bitsnet.methods.guided.model import GuidedModel
    from napari_bitsnet.methods.guided.parts import Parts
    from napari_bitsnet.methods.guided.trust import Trust
    from napari_bitsnet.methods.protocol import Enlarged


@dataclass
class GuidedRegressionState(State):
    """The fitted model and the answer, once they are there; a rough one for who looks earlier."""

    seed: int = 0
    model: GuidedModel | None = None
    trust: Trust | None = None
    previous: GuidedModel | None = None  # of the slice before, in a stack
    result: Answer | None = None
    rough: Answer | None = None


@METHODS.register("guided_regression")
class GuidedRegression(StagedMethod[GuidedRegressionState]):
    """Colour regression on gradients: ``∇I = sum_g ∇ f_g(guide_g) + rest``, f_g fitted robustly for all
    guides together.

    Each f_g is a sum of normalised Gaussians around colour centres, the colour itself, and a slow drift of
    coarse clusters over the image; guides are first healed of cracks, which join as features, and registered
    to the observation. Three further parts join as far as the gradients of held-out blocks speak for them:
    functions of blurred colours (`context`), a trained network that sees all this beside the photographs
    (`correct`), and a division of the rest by the edges of what two guides explain (`attribution`). Guides
    that explain little in held-out blocks count less, so that the answer tends to an even division of the
    mixture. Constants, which gradients do not show, are chosen so that the darkest parts of all sources
    agree.
    """

    name = "guided_regression"
    title = "Colour regression"
    summary = "Photographs as guides: what their colours explain, registered, within seconds."
    Config = GuidedRegressionConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": GuidedRegressionConfig(
            n_clusters=32,
            width=0.08,
            drift=1,
            scales=2,
            n_reweightings=3,
            steps=4,
            cracks=False,
            correct=False,
            context=False,
            attribution=False,
        ),
        "balanced": GuidedRegressionConfig(),
        "best": GuidedRegressionConfig(
            n_clusters=128, width=0.05, drift=5, steps=12, n_reweightings=6, pixels=2**20
        ),
    }
    cost = Cost(4.5, 28.0, 3500)
    config: GuidedRegressionConfig

    def __init__(self, config: GuidedRegressionConfig | None = None) -> None:
        super().__init__(config)
        if not (self.config.context or self.config.correct):  # the fit alone, as in the preset quick
            self.cost = Cost(2.7, 11.0, 3500)

    def unsupported_reason(self, traits: Traits) -> str | None:
        """See `Method.unsupported_reason`."""
        if traits.mixing != "linear" or traits.n_observations != 1:
            return "It takes one image whose sources add up apart, there are several mixtures."
        if traits.n_guides == 0:
            return "It needs a guide: a registered image of at least one source in another modality."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> GuidedRegressionState:
        """See `Method.start`; the seed chooses the pixels from which colour centres are found."""

        device = "cpu" if device == "mps" else device  # bicubic sampling is missing there
        return GuidedRegressionState(problem.to(device), has_start=True, seed=seed)

    def warm_start(
        self, problem: Problem, previous: GuidedRegressionState, *, device: str, seed: int
    ) -> GuidedRegressionState:
        """See `Method.warm_start`: colours keep their clusters, guides start where they lay, and densities
        are expected near those of the slice before.
        """
        state = self.start(problem, device=device, seed=seed)
        guided = [(k, g.shape[1]) for k, g in enumerate(state.problem.guides) if g is not None]
        terms = [] if previous.model is None else previous.model.terms
        same = [(term.source, term.image.shape[1]) for term in terms] == guided
        if same and previous.problem.observations.shape == problem.observations.shape:
            state.previous = previous.model
        return state

    def iterating(self, state: GuidedRegressionState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: registration, fit, context, correction, attribution and trust; after
        the fit each improves the answer. Returns the mean absolute gradient left unexplained, the energy
        explained in held-out blocks, how much was corrected and, if the fit is judged, the part of
        extrapolated colours."""
        import torch

        from napari_bitsnet.methods.guided.alike import alike_notices
        from napari_bitsnet.methods.guided.checks import given_notices, size_notices
        from napari_bitsnet.methods.guided.parts import Parts
        from napari_bitsnet.methods.guided.solve import enlarging, fitting
        from napari_bitsnet.methods.guided.trust import judging

        config, problem = self.config, state.problem
        fitted, pieces, fit = yield from fitting(problem, state.previous, config, seed=state.seed)
        state.model = yield from enlarging(fitted, problem, config)
        explained = explained_by(state.model, problem)
        state.result = explained_shares(problem, state.model, explained=explained)
        precision = [fitted.precision(term, config.prior_std, config.drift_std) for term in fitted.terms]
        state.trust = yield from judging(
            fitted,
            pieces,
            fit,
            torch.cat(precision),
            seed=state.seed,
            prior=None if state.previous is None else state.previous.weights,
        )
        del pieces  # their features are large
        parts = Parts(problem, state.model, explained, state.trust.explained_energy)
        state.result = parts.answer()
        losses = {
            "unexplained": problem.observations.new_tensor(fit.misfits[0]),
            "explained_energy": problem.observations.new_tensor(state.trust.explained_energy),
        }
        if problem.observations[0, 0].numel() <= MOST_PIXELS:
            yield from self._refining(state, parts)
            if config.correct:
                yield from self._correcting(state, parts, fitted)
            if config.attribution:
                yield Stage("attribution", better=True)
                parts.attribute()
            state.result = parts.answer()
        if parts.correction is not None:
            losses["corrected"] = parts.correction.share_of(problem.observations)
        notices: list[Notice] = []  # of a run that is stopped none are said twice when it goes on
        if not parts.complete and problem.n_sources == 2:
            source = parts.guided[0]
            given = state.result["sources"][source] - state.result["explained"][source]
            unexplained = state.result["unexplained"][0]
            notices += given_notices(
                source, given, unexplained, parts.energy, corrected=parts.correction is not None
            )
        notices += alike_notices(parts.common, parts.kept)
        if config.uncertainty:
            yield Stage("trust", better=True)
            losses |= yield from self._judging(state, parts, fitted, notices)
        notices += size_notices(problem, MOST_PIXELS, cracks=config.cracks, corrected=config.correct)
        state.notices += notices
        return losses

    def _refining(self, state: GuidedRegressionState, parts: Parts) -> Stages[None]:
        """Add what blurred colours explain, as far as held-out blocks say that it helps."""
        from napari_bitsnet.methods.guided.context import fitting_context

        if not self.config.context:
            return
        guides = parts.aligned()
        problem = state.problem
        fit = yield from named(
            "context", fitting_context(guides, problem.observations, problem.valid, seed=state.seed)
        )
        parts.add_context(fit)
        state.result = parts.answer()

    def _correcting(self, state: GuidedRegressionState, parts: Parts, fitted: GuidedModel) -> Stages[None]:
        """Ask the trained network, if its answer would count."""
        from napari_bitsnet.methods.guided.solve import reduced

        if parts.correction_weight > 0:
            yield Stage("correction", better=True)
            known = parts.fitted if fitted is parts.model else None
            parts.correction = yield from correcting(reduced(state.problem, self.config), fitted, known)

    def _judging(
        self, state: GuidedRegressionState, parts: Parts, fitted: GuidedModel, notices: list[Notice]
    ) -> Stages[dict[str, Tensor]]:
        """Say how far the fit can be trusted: a map in the answer, a figure as a loss, notices in words."""
        from napari_bitsnet.methods.guided.checks import fit_notices, registration_notices
        from napari_bitsnet.methods.guided.interval import half_width

        config, result = self.config, state.result or {}
        trust, whole = state.trust, state.model or fitted
        assert trust is not None
        result["uncertainty"] = half_width(
            result["unexplained"],
            result["explained"],
            parts.energy,
            parts.shares[whole.terms[0].source],
            complete=parts.complete,
            valid=state.problem.valid,
        )
        tried = round(config.max_shift * whole.modes.size[0] / fitted.modes.size[0])
        notices += fit_notices(whole, trust, max_shift=tried, registered=config.registration)
        yield Stage("trust, places of the guides")
        notices += registration_notices(state.problem, seed=state.seed)
        return {"extrapolated": result["unexplained"].new_tensor(trust.extrapolated)}

    def enlarged(self, state: GuidedRegressionState, problem: Problem, factor: int) -> Enlarged | None:
        """See `Method.enlarged`: detail by the colours' model, all else by the answer at reduced size."""
        from napari_bitsnet.methods.guided.enlarged import enlarged_fit

        if state.model is None or state.trust is None or state.result is None:
            return None
        energy = state.trust.explained_energy
        return enlarged_fit(state.problem, state.model, state.result, energy, problem, factor, self.config)

    def solution(self, state: GuidedRegressionState) -> Answer:
        """See `Method.solution`: ``"sources"``, ``"explained"``, ``"unexplained"`` and, on request,
        ``"uncertainty"``; before the fit, those of a rough one that is made when it is first asked for.
        """
        import torch

        if state.result is not None:
            return state.result
        if state.rough is None:
            from napari_bitsnet.methods.guided.solve import enlarging, fitting

            with torch.no_grad():
                model, _, _ = exhaust(fitting(state.problem, None, ROUGH, seed=state.seed))
                state.rough = explained_shares(state.problem, exhaust(enlarging(model, state.problem, ROUGH)))
        return state.rough
