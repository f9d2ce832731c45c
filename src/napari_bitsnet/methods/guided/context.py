"""A second closed form for guides: functions of a pixel's colour and of the blurred colours around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from napari_bitsnet.core.colours import ColourBasis, fit_centres
from napari_bitsnet.core.denoisers.gaussian import blur
from napari_bitsnet.core.displacement import Modes, Window, strips
from napari_bitsnet.core.stages import Stages
from napari_bitsnet.methods.guided.fold_statistics import FoldStatistics
from napari_bitsnet.methods.guided.gradient_fit import Piece, fitting_gradients
from napari_bitsnet.methods.guided.holdout import folds_of
from napari_bitsnet.methods.guided.reduced_inputs import reduced_inputs

REFERENCE = 128
"""Shorter side, in pixels, of the images on which the design was chosen: blurs scale with the image."""
BLURS = (0.0, 3.0, 8.0)
"""Standard deviations of the Gaussians, in pixels where the shorter side has `REFERENCE` pixels."""
SCALES, EMPHASIS, N_REWEIGHTINGS = 5, 0.3, 3
"""Scales and reweightings of the robust fit. A row of scale s has the further weight ``4^(EMPHASIS s)``,
since such rows are fewer by 4^s while low frequencies carry most of the signal. With 0.6 and more the sides
of guides that share a coarse layout are confused."""
FITTED_TO = 2**14
"""Larger images are reduced to this many pixels for the fit, those of `REFERENCE`; its functions then apply
at full size. At 256 × 256 pixels fine gradients outweigh the coarse ones, which blurred colours explain:
held-out blocks gave a fit on all of them less weight, and near-infrared pairs gained 0.5 dB less."""
DRIFT_CLUSTERS, DRIFT_WIDTH, DRIFT_ORDER, DRIFT_STD = 24, 0.1, 3, 0.003
"""Clusters whose density drifts along the image, their width, the order of the drift, and the prior standard
deviation of its coefficients."""
NEVER = 1e-5
"""Spread that leaves a group of features out."""
STRIP = 2**17
"""Pixels whose features are in memory at a time."""


class Group(NamedTuple):
    """Features of one kind: which of `BLURS`, number and width of clusters (0: the colours themselves), and
    their prior standard deviation."""

    blur: int
    clusters: int
    width: float
    std: float


GROUPS = (
    Group(0, 0, 0.0, 1.0),
    Group(0, 16, 0.25, 0.09),
    Group(0, 32, 0.12, 0.03),
    Group(0, 96, 0.06, 0.009),
    Group(1, 48, 0.1, 0.01),
    Group(1, 0, 0.0, 0.03),
    Group(2, 0, 0.0, 0.03),
)
"""Changing one of the standard deviations by a factor of three, in either direction, changes the mean gain by
less than 0.2 dB."""


def blurred(guide: Tensor) -> list[Tensor]:
    """Return a guide (1, C, H, W) blurred by each of `BLURS`."""
    factor = min(guide.shape[-2:]) / REFERENCE
    return [blur(guide, factor * width) if width else guide for width in BLURS]


class ContextFeatures:
    """Feature images of one guide.

    Parameters
    ----------
    guide : Tensor of shape (1, C, H, W)
        The guide as it lies on the mixture, in [0, 1], at the size of the fit.
    seed : int
        Seed of the colour clusters.
    """

    def __init__(self, guide: Tensor, seed: int) -> None:
        planes = blurred(guide)
        self.channels = guide.shape[1]
        self.bases = [
            ColourBasis(fit_centres(planes[g.blur], g.clusters, seed=seed), g.width) if g.clusters else None
            for g in GROUPS
        ]
        self.coarse = ColourBasis(fit_centres(guide, DRIFT_CLUSTERS, seed=seed), DRIFT_WIDTH)

    def __call__(self, planes: Sequence[Tensor], fields: Tensor) -> Tensor:
        """Return features (N, h, w) of blurred colours, each (C, h, w), with drift modes (J, h, w)."""
        parts = [
            planes[g.blur] if basis is None else basis.memberships(planes[g.blur])
            for g, basis in zip(GROUPS, self.bases, strict=True)
        ]
        parts.append((self.coarse.memberships(planes[0])[:, None] * fields).flatten(0, 1))
        return torch.cat(parts)

    def precision(self, *, context: bool) -> Tensor:
        """Return one over the prior variance of each weight, (N,) in float64; without context, blurs are left
        out."""
        parts = []
        for g, basis in zip(GROUPS, self.bases, strict=True):
            count = self.channels if basis is None else len(basis.centres)
            std = g.std if context or not g.blur else NEVER
            parts.append(torch.full((count,), std**-2, dtype=torch.float64))
        drifting = len(self.coarse.centres) * (len(Modes((1, 1), DRIFT_ORDER)) - 1)
        parts.append(torch.full((drifting,), DRIFT_STD**-2, dtype=torch.float64))
        return torch.cat(parts)


@dataclass(frozen=True)
class ContextFit:
    """The fitted functions, and how well they hold in blocks that were not fitted to.

    Parameters
    ----------
    features : list of ContextFeatures
        Of each guide.
    weights : list of Tensor (N, C)
        Of each guide.
    with_context, without : float
        Part of the gradients' energy that is explained in held-out blocks with the blurred colours and
        without them.
    own : list of float
        Of each guide, what it adds to `with_context`: the part that no other guide explains.
    """

    features: list[ContextFeatures]
    weights: list[Tensor]
    with_context: float
    without: float
    own: list[float]

    def explain(self, guides: Sequence[Tensor]) -> list[Tensor]:
        """Return what each guide (1, C_g, H, W), of any size, explains: (C, H, W); the mean is arbitrary."""
        found = []
        for guide, features, weights in zip(guides, self.features, self.weights, strict=True):
            height, width = guide.shape[-2:]
            planes, drift = blurred(guide), Modes((height, width), DRIFT_ORDER)
            parts = [_explain(features, weights, planes, drift, s) for s in strips(height, width, STRIP)]
            found.append(torch.cat(parts, dim=1))
        return found


def _explain(
    features: ContextFeatures, weights: Tensor, planes: Sequence[Tensor], drift: Modes, strip: Window
) -> Tensor:
    """Return what a guide explains on a strip, (C, h, w)."""
    colours = [strip.crop(plane)[0] for plane in planes]
    return torch.einsum("nc,nhw->chw", weights, features(colours, drift.fields(strip, colours[0])[1:]))


def fitting_context(
    guides: Sequence[Tensor], observation: Tensor, valid: Tensor | None, *, seed: int
) -> Stages[ContextFit]:
    """Fit functions of colours and blurred colours to the observation, for all guides together, and tell the
    stages.

    Parameters
    ----------
    guides : sequence of Tensor (1, C_g, H, W)
        The guides as they lie on the mixture, in [0, 1].
    observation : Tensor of shape (1, C, H, W)
        The mixture.
    valid : Tensor of shape (1, 1, H, W), bool, optional
        Pixels to look at.
    seed : int
        Seed of the colour clusters.
    """
    guides, observation, valid = reduced_inputs(guides, observation, valid, FITTED_TO)
    size = (observation.shape[-2], observation.shape[-1])
    whole = Window(0, 0, *size)
    fields = Modes(size, DRIFT_ORDER).fields(whole, observation)[1:]
    features = [ContextFeatures(guide, seed) for guide in guides]
    images = torch.cat([f([p[0] for p in blurred(g)], fields) for f, g in zip(features, guides, strict=True)])
    precision = torch.cat([f.precision(context=True) for f in features])
    folds = folds_of(size).to(images.device)
    piece = Piece(images, observation[0], None if valid is None else valid[0], folds)
    colours = torch.cat([f.precision(context=False) for f in features]).to(observation.device)

    fit = yield from fitting_gradients(
        [piece], precision, scales=SCALES, n_reweightings=N_REWEIGHTINGS, emphasis=EMPHASIS
    )
    statistics = FoldStatistics.of(fit.folds, precision)
    counts = [len(f.precision(context=True)) for f in features]
    return ContextFit(
        features,
        list(fit.coefficients.split(counts)),
        statistics.explained_energy(),
        replace(statistics, precision=colours).explained_energy(),
        statistics.own_energies(counts),
    )
