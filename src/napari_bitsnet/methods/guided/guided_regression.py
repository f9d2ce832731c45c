"""Guides: what a photograph's colours explain of a superimposed image. A closed form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages, exhaust, without_stages
from napari_bitsnet.methods import METHODS
from napari_bitsnet.methods.guided.correction import correcting
from napari_bitsnet.methods.guided.shares import at_size, explained_shares

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.methods.guided.correction import Correction
    from napari_bitsnet.methods.guided.fit import Data
    from napari_bitsnet.methods.guided.gradient_fit import GradientFit
    from napari_bitsnet.methods.guided.model import GuidedModel
    from napari_bitsnet.methods.guided.trust import Trust
    from napari_bitsnet.methods.stopping import StoppingRule

COARSE = 24
"""Colour centres for the search of shifts and for drifting weights."""
REGISTRATION_CENTRES, REGISTRATION_WIDTH = 32, 0.09
"""Colour clusters while the guides are registered: fewer and wider than at the end, for speed."""
DISPLACEMENT_SPREAD = 0.3
"""Standard deviation expected of the displacement's modes, in pixels."""
COARSE_WIDTH = 0.1
"""Width of these clusters, on the guide's [0, 1] scale."""
SEEN = 4
"""Larger images than this times the pixels that are fitted to are reduced to it for the fit."""
POLISH = 2
"""Steps of registration at full size after a fit at reduced size."""
CRACKED = 2**24
"""Larger images than this many pixels are neither searched for cracks nor corrected, for the sake of memory."""


class GuidedRegressionConfig(BaseConfig):
    """Settings of the method."""

    centres: int = setting(
        96, "Colours of each guide that may have a density of their own.", ge=4, le=256, step=4
    )
    width: float = setting(
        0.06, "Width of the colour clusters, on the guide's [0, 1] scale.", ge=0.01, le=0.5, step=0.01
    )
    registration: Literal["none", "shift", "smooth"] = setting(
        "smooth",
        "Registration of the guides: as they are (none), moved by whole pixels (shift), or shifted and bent (smooth).",
    )
    search: int = setting(3, "Largest whole-pixel shift that is tried.", ge=0, le=12, step=1, unit="px")
    bending: int = setting(
        6, "Half waves of the displacement along each side; 1 is a sub-pixel shift.", ge=1, le=12, step=1
    )
    steps: int = setting(5, "Largest number of registration steps.", ge=1, le=30, step=1)
    drift: int = setting(
        3, "Half waves, and one, along which a colour's density may drift; 1 is no drift.", ge=1, le=6, step=1
    )
    spread: float = setting(
        0.15, "Standard deviation expected of a colour's density (ridge).", ge=0.001, le=10, step=0.01
    )
    drift_spread: float = setting(
        0.03, "Standard deviation expected of a density's drift (ridge).", ge=0.001, le=10, step=0.01
    )
    scales: int = setting(4, "Scales at which gradients are compared.", ge=1, le=8, step=1)
    rounds: int = setting(4, "Rounds of reweighting that make the fit robust.", ge=1, le=30, step=1)
    pixels: int = setting(
        2**19,
        "Pixels that are fitted to; of larger images, evenly spaced squares of the image reduced to four times as many.",
        ge=2**12,
        le=2**24,
        step=2**12,
    )
    cracks: bool = setting(
        True,
        "Look for cracks in colour photographs, by a trained network, and heal their colours before the fit; not above 16 megapixels.",
    )
    correct: bool = setting(
        True,
        "Let a trained network mend what the fit missed, and divide what it left; two sources and colour photographs only.",
    )
    trust: bool = setting(
        True,
        "Judge the fit: the 90 % interval as a map, and how much holds in parts that were not fitted to.",
    )


@dataclass
class GuidedRegressionState(State):
    """The fitted model and the answer, once they are there; a rough one for who looks earlier."""

    seed: int = 0
    model: GuidedModel | None = None
    trust: Trust | None = None
    previous: GuidedModel | None = None  # of the slice before, in a stack
    result: dict[str, Tensor] | None = None
    rough: dict[str, Tensor] | None = None


ROUGH = GuidedRegressionConfig(
    centres=32,
    width=0.08,
    drift=1,
    scales=2,
    rounds=2,
    steps=2,
    pixels=2**15,
    cracks=False,
    correct=False,
    trust=False,
)
"""What is fitted for a first look, if somebody looks before the fit: a second or two for two guides."""


@METHODS.register("guided_regression")
class GuidedRegression:
    """Colour regression on gradients: ``∇I = sum_g ∇ f_g(guide_g) + rest``, f_g fitted robustly for all guides together.

    Each f_g is a sum of normalised Gaussians around colour centres, the colour itself, and a slow drift of coarse
    clusters over the image; guides are first healed of cracks, which join as features, and registered to the
    observation. What no guide explains goes to the sources without a guide, or evenly to all if each has one; a trained
    network, which sees all this beside the photographs, then mends it (`correct`). Constants, which gradients do not show,
    are chosen so that the darkest parts of all sources agree.
    """

    name: ClassVar[str] = "guided_regression"
    title: ClassVar[str] = "Colour regression"
    summary: ClassVar[str] = "Photographs as guides: what their colours explain, registered, within seconds."
    Config: ClassVar[type[BaseConfig]] = GuidedRegressionConfig
    presets: ClassVar[dict[str, BaseConfig]] = {
        "quick": GuidedRegressionConfig(
            centres=32, width=0.08, drift=1, scales=2, rounds=3, steps=4, cracks=False, correct=False
        ),
        "balanced": GuidedRegressionConfig(),
        "best": GuidedRegressionConfig(centres=128, width=0.05, drift=5, steps=12, rounds=6, pixels=2**20),
    }
    full_resolution: ClassVar[bool] = True

    def __init__(self, config: GuidedRegressionConfig | None = None) -> None:
        self.config = config or GuidedRegressionConfig()

    @property
    def iterations(self) -> int:
        """One: a closed form."""
        return 1

    def supports(self, traits: Traits) -> str | None:
        """See `Method.supports`."""
        if traits.mixing != "linear" or traits.n_observations != 1:
            return "It takes one image whose sources add up apart, there are several mixtures."
        if traits.n_guides == 0:
            return "It needs a guide: a registered image of at least one source in another modality."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> GuidedRegressionState:
        """See `Method.start`; the seed chooses the pixels from which colour centres are found."""

        device = "cpu" if device == "mps" else device  # bicubic sampling is missing there
        return GuidedRegressionState(problem.to(device), has_start=True, seed=seed)

    def start_after(
        self, problem: Problem, previous: GuidedRegressionState, *, device: str, seed: int
    ) -> GuidedRegressionState:
        """See `WarmStart.start_after`: colours keep their clusters, guides start where they lay, and densities are expected
        near those of the slice before.
        """
        state = self.start(problem, device=device, seed=seed)
        guided = [(k, g.shape[1]) for k, g in enumerate(state.problem.guides) if g is not None]
        terms = [] if previous.model is None else previous.model.terms
        same = [(term.source, term.image.shape[1]) for term in terms] == guided
        if same and previous.problem.observations.shape == problem.observations.shape:
            state.previous = previous.model
        return state

    def advance(self, state: GuidedRegressionState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`; ends after one iteration, which yields the mean absolute gradient left unexplained, how much was
        corrected and, if the fit is judged, `Trust`'s figures.
        """
        return without_stages(self.stages(state))

    def stages(self, state: GuidedRegressionState) -> Iterator[Stage | dict[str, Tensor]]:
        """See `Staged.stages`: registration, fit, correction and trust; from the correction on the answer is the fit's."""
        import torch

        if state.step:
            return
        # around the generator, not inside: what looks at the stages may need gradients
        losses = yield from torch.no_grad()(self._solving)(state)
        state.step = 1
        yield losses

    def _solving(self, state: GuidedRegressionState) -> Stages[dict[str, Tensor]]:
        """Solve everything, and return the losses."""
        from napari_bitsnet.methods.guided.checks import moved_notices, size_notices

        fitted, data, fit = yield from self._fitting(state)
        state.model = yield from self._enlarging(fitted, state.problem)
        correction = None
        if self.config.correct and state.problem.observations[0, 0].numel() <= CRACKED:
            state.result = explained_shares(state.problem, state.model)
            yield Stage("correction", better=True)
            correction = yield from correcting(self._reduced(state.problem), fitted)
        state.result = explained_shares(state.problem, state.model, correction)
        losses = {"unexplained": state.problem.observations.new_tensor(fit.misfits[0])}
        notices: list[str] = []  # of a run that is stopped none are said twice when it goes on
        if correction is not None:
            losses["corrected"] = correction.share_of(state.problem.observations)
            if len(fitted.terms) < state.problem.n_sources:
                source, left = fitted.terms[0].source, self._left(state, correction)[0]
                notices += moved_notices(source, at_size(correction.sources[source], left), left)
        if self.config.trust:
            yield Stage("trust", better=True)
            losses |= yield from self._judging(state, fitted, data, fit, correction, notices)
        notices += size_notices(
            state.problem, CRACKED, cracks=self.config.cracks, corrected=self.config.correct
        )
        state.notices += notices
        return losses

    def _judging(
        self,
        state: GuidedRegressionState,
        model: GuidedModel,
        data: Data,
        fit: GradientFit,
        correction: Correction | None,
        notices: list[str],
    ) -> Stages[dict[str, Tensor]]:
        """Say how far the fit can be trusted: a map in the answer, figures as losses, notices in words.

        What the correction explains still counts as unexplained, since the interval is the closed form's.
        """
        import torch

        from napari_bitsnet.methods.guided.checks import fit_notices, registration_notices
        from napari_bitsnet.methods.guided.trust import judging

        config, result = self.config, state.result or {}
        left = self._left(state, correction)
        precision = [model.precision(term, config.spread, config.drift_spread) for term in model.terms]
        state.trust = yield from judging(
            model,
            data,
            fit,
            torch.cat(precision),
            left,
            n_sources=state.problem.n_sources,
            scales=config.scales,
            seed=state.seed,
            prior=_expected_weights(state.previous),
        )
        result["uncertainty"] = state.trust.half_width
        whole = state.model or model
        search = round(config.search * whole.modes.size[0] / model.modes.size[0])
        notices += fit_notices(whole, state.trust, search=search, registered=config.registration)
        yield Stage("trust, places of the guides")
        notices += registration_notices(state.problem, seed=state.seed)
        figures = {
            "explained_energy": state.trust.explained_energy,
            "extrapolated": state.trust.extrapolated,
        }
        return {name: result["unexplained"].new_tensor(value) for name, value in figures.items()}

    def _left(self, state: GuidedRegressionState, correction: Correction | None) -> Tensor:
        """What the closed form did not explain, (1, C, H, W)."""
        assert state.result is not None
        left = state.result["unexplained"]
        return left if correction is None else left + at_size(correction.explained.sum(dim=0), left)

    def _reduced(self, problem: Problem) -> Problem:
        """The problem at the size at which it is fitted."""
        from torch.nn import functional as F

        height, width = problem.observations.shape[-2:]
        factor = (SEEN * self.config.pixels / (height * width)) ** 0.5
        if factor >= 1:
            return problem
        size = (round(height * factor), round(width * factor))
        return problem.map_images(lambda images: F.interpolate(images, size, mode="area"))

    def _cracks(self, problem: Problem, whole: Problem) -> list[Tensor | None]:
        """What cracks take from each guide of `problem`, which is `whole` at some size; see `cracks_of`."""
        from napari_bitsnet.methods.guided.cracks import cracks_of

        wanted = self.config.cracks and whole.observations[0, 0].numel() <= CRACKED
        return cracks_of(problem.guides) if wanted else [None] * len(problem.guides)

    def _enlarging(self, model: GuidedModel, problem: Problem) -> Stages[GuidedModel]:
        """The fitted model for the guides at full size, registered there once more."""
        from napari_bitsnet.methods.guided.fit import Data, refine_displacement
        from napari_bitsnet.methods.guided.model import sample_windows

        size = (problem.observations.shape[-2], problem.observations.shape[-1])
        if model.modes.size == size:
            return model
        yield Stage("full size")
        guides = {k: guide for k, guide in enumerate(problem.guides) if guide is not None}
        large = model.resized(size, guides, dict(enumerate(self._cracks(problem, problem))))
        data = Data(problem.observations, problem.valid, sample_windows(size, self.config.pixels))
        for step in range(POLISH if self.config.registration == "smooth" else 0):
            yield Stage(f"full size, registration step {step + 1} of {POLISH}")
            refine_displacement(large, data, spread=DISPLACEMENT_SPREAD * size[0] / model.modes.size[0])
        return large

    def _fitting(self, state: GuidedRegressionState) -> Stages[tuple[GuidedModel, Data, GradientFit]]:
        """Register and fit, a large image at reduced size."""
        from napari_bitsnet.core.colours import ColourBasis, fit_centres
        from napari_bitsnet.core.displacement import Modes
        from napari_bitsnet.methods.guided.fit import Data, fitting_weights, named, registering
        from napari_bitsnet.methods.guided.model import GuidedModel, GuideTerm, healed, sample_windows

        config, problem = self.config, self._reduced(state.problem)
        observation = problem.observations
        size = (observation.shape[-2], observation.shape[-1])
        modes = Modes(size, config.bending if config.registration == "smooth" else 1)
        model = GuidedModel(modes, Modes(size, 1))
        previous = state.previous.resized(size) if state.previous else None
        before = {term.source: term for term in (previous.terms if previous else ())}
        yield Stage("cracks and colours of the guides")
        cracks = self._cracks(problem, state.problem)
        for source, guide in enumerate(problem.guides):
            if guide is not None:
                known = before.get(source)
                coarse = (
                    ColourBasis(fit_centres(guide, COARSE, seed=state.seed), COARSE_WIDTH)
                    if known is None
                    else known.coarse
                )
                fine = fit_centres(guide, min(REGISTRATION_CENTRES, config.centres), seed=state.seed)
                model.terms.append(
                    GuideTerm(
                        guide,
                        source,
                        ColourBasis(fine, REGISTRATION_WIDTH),
                        coarse,
                        observation.new_zeros((2, len(modes)))
                        if known is None
                        else known.displacement.clone(),
                        observation.new_zeros((len(coarse), observation.shape[1])),
                        cracks[source],
                    )
                )
        data = Data(observation, problem.valid, sample_windows(size, config.pixels))
        if config.registration != "none":
            yield from registering(
                model,
                data,
                search=0 if before else config.search,
                steps=config.steps if config.registration == "smooth" else 0,
                spread=DISPLACEMENT_SPREAD,
                weights=lambda: fitting_weights(
                    model, data, spread=config.spread, drift_spread=1.0, scales=1, rounds=3
                ),
            )
        for term in model.terms:
            known = before.get(term.source)
            term.basis = (
                ColourBasis(
                    fit_centres(healed(term.image, term.cracks), config.centres, seed=state.seed),
                    config.width,
                )
                if known is None
                else known.basis
            )
        model.drift = Modes(size, config.drift)
        fit = yield from named(
            "fit",
            fitting_weights(
                model,
                data,
                spread=config.spread,
                drift_spread=config.drift_spread,
                scales=config.scales,
                rounds=config.rounds,
                prior=_expected_weights(state.previous),
            ),
        )
        return model, data, fit

    def answer(self, state: GuidedRegressionState) -> dict[str, Tensor]:
        """See `Method.answer`: ``"sources"``, ``"explained"``, ``"unexplained"`` and, on request, ``"uncertainty"``; before
        the fit, those of a rough one that is made when it is first asked for.
        """
        import torch

        if state.result is not None:
            return state.result
        if state.rough is None:
            with torch.no_grad():
                rough = GuidedRegression(ROUGH)
                model, _, _ = exhaust(rough._fitting(replace(state, previous=None)))
                state.rough = explained_shares(state.problem, exhaust(rough._enlarging(model, state.problem)))
        return state.rough

    def stopping(self) -> StoppingRule | None:
        """Return None: it ends by itself."""
        return None


def _expected_weights(previous: GuidedModel | None) -> Tensor | None:
    """Weights of the slice before, (N, C), or None: zero."""
    import torch

    return None if previous is None else torch.cat([term.weights for term in previous.terms])
