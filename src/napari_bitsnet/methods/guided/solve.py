"""Register all guides and fit their densities, a large image at reduced size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.colours import ColourBasis, fit_centres
from napari_bitsnet.core.displacement import Modes
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.stages import Stage, Stages, named
from napari_bitsnet.methods.guided.cracks import cracks_of
from napari_bitsnet.methods.guided.fit import (
    Data,
    features_of,
    fitting_weights,
    refine_displacement,
    registering,
)
from napari_bitsnet.methods.guided.model import GuidedModel, GuideTerm, healed, sample_windows
from napari_bitsnet.methods.guided.settings import MOST_PIXELS, GuidedRegressionConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_bitsnet.methods.guided.gradient_fit import GradientFit, Piece

N_COARSE, COARSE_WIDTH = 24, 0.1
"""Colour clusters for the search of shifts and for drifting weights, and their width on the guide's [0, 1]
scale."""
N_REGISTRATION, REGISTRATION_WIDTH = 32, 0.09
"""Colour clusters while the guides are registered: fewer and wider than at the end, for speed."""
DISPLACEMENT_STD = 0.3
"""Standard deviation expected of the displacement's modes, in pixels."""
SEEN = 4
"""Images that are larger than this times the pixels that are fitted to are reduced to that size for the
fit."""
POLISH = 2
"""Steps of registration at full size after a fit at reduced size."""


def reduced(problem: Problem, config: GuidedRegressionConfig) -> Problem:
    """Return the problem at the size at which it is fitted."""
    height, width = problem.observations.shape[-2:]
    factor = (SEEN * config.pixels / (height * width)) ** 0.5
    if factor >= 1:
        return problem
    size = (round(height * factor), round(width * factor))
    return problem.map_images(lambda images: F.interpolate(images, size, mode="area"))


def fitting(
    whole: Problem, previous: GuidedModel | None, config: GuidedRegressionConfig, *, seed: int
) -> Stages[tuple[GuidedModel, Iterable[Piece], GradientFit]]:
    """Register and fit; `previous` is the model of the slice before in a stack. Returns what was fitted to,
    too."""
    problem = reduced(whole, config)
    observation = problem.observations
    size = (observation.shape[-2], observation.shape[-1])
    modes = Modes(size, config.n_modes if config.registration == "smooth" else 1)
    model = GuidedModel(modes, Modes(size, 1))
    before = {term.source: term for term in (previous.resized(size).terms if previous else ())}
    yield Stage("cracks and colours of the guides")
    cracks = _cracks(problem, whole, config)
    for source, guide in enumerate(problem.guides):
        if guide is None:
            continue
        if source in before:
            coarse, displacement = before[source].coarse, before[source].displacement.clone()
        else:
            coarse = ColourBasis(fit_centres(guide, N_COARSE, seed=seed), COARSE_WIDTH)
            displacement = observation.new_zeros((2, len(modes)))
        fine = fit_centres(guide, min(N_REGISTRATION, config.n_clusters), seed=seed)
        drift = observation.new_zeros((len(coarse), observation.shape[1]))
        basis = ColourBasis(fine, REGISTRATION_WIDTH)
        model.terms.append(GuideTerm(guide, source, basis, coarse, displacement, drift, cracks[source]))
    data = Data(observation, problem.valid, sample_windows(size, config.pixels))
    if config.registration != "none":
        yield from registering(
            model,
            data,
            max_shift=0 if before else config.max_shift,
            steps=config.steps if config.registration == "smooth" else 0,
            prior_std=DISPLACEMENT_STD,
            weights=lambda pieces: fitting_weights(
                model,
                pieces,
                prior_std=config.prior_std,
                drift_std=1.0,
                scales=1,
                n_reweightings=1,
                pixels=data.pixels,
            ),
        )
    for term in model.terms:
        if term.source in before:
            term.basis = before[term.source].basis
        else:
            centres = fit_centres(healed(term.image, term.cracks), config.n_clusters, seed=seed)
            term.basis = ColourBasis(centres, config.width)
    model.drift = Modes(size, config.drift)
    pieces = features_of(model, data, judged=True)
    fit = yield from named(
        "fit",
        fitting_weights(
            model,
            pieces,
            prior_std=config.prior_std,
            drift_std=config.drift_std,
            scales=config.scales,
            n_reweightings=config.n_reweightings,
            prior=None if previous is None else previous.weights,
            pixels=data.pixels,
        ),
    )
    return model, pieces, fit


def enlarging(model: GuidedModel, problem: Problem, config: GuidedRegressionConfig) -> Stages[GuidedModel]:
    """Return the fitted model for the guides at full size, registered there once more."""
    size = (problem.observations.shape[-2], problem.observations.shape[-1])
    if model.modes.size == size:
        return model
    yield Stage("full size")
    guides = {k: guide for k, guide in enumerate(problem.guides) if guide is not None}
    large = model.resized(size, guides, dict(enumerate(_cracks(problem, problem, config))))
    data = Data(problem.observations, problem.valid, sample_windows(size, config.pixels))
    for step in range(POLISH if config.registration == "smooth" else 0):
        yield Stage(f"full size, registration step {step + 1} of {POLISH}")
        prior_std = DISPLACEMENT_STD * size[0] / model.modes.size[0]
        last = step == POLISH - 1
        refine_displacement(large, data, features_of(large, data), prior_std=prior_std, last=last)
    return large


def _cracks(problem: Problem, whole: Problem, config: GuidedRegressionConfig) -> list[Tensor | None]:
    """Return what cracks take from each guide of `problem`, which is `whole` at some size; see
    `cracks_of`."""
    wanted = config.cracks and whole.observations[0, 0].numel() <= MOST_PIXELS
    return cracks_of(problem.guides) if wanted else [None] * len(problem.guides)
