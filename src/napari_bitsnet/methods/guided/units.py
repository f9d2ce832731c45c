"""A third closed form for guides: random units of a pixel's colours and of their surroundings, with a
drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.colours import ColourBasis, fit_centres
from napari_bitsnet.core.displacement import Window, strips
from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods.guided.drift import Drift
from napari_bitsnet.methods.guided.gradient_fit import LEAST, Piece, difference_rows, weighted_gram
from napari_bitsnet.methods.guided.reduced_inputs import reduced_inputs

REFERENCE = 128
"""Shorter side, in pixels, of the images on which the design was chosen: blurs scale with the image."""
BLURS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Standard deviations of the Gaussians, in pixels where the shorter side has `REFERENCE` pixels."""
WIDE = 16.0
"""Wider blurs, in pixels, are made at reduced size."""
UNITS = 256
"""Random units of each guide; half of them see the colours alone, half their blurs, too."""
GAIN, BLURRED_GAIN = 3.0, 0.7
"""Standard deviation of the weighted sum of a unit's inputs if these are ±1, and the factor of blurred
colours in it."""
CLUSTERS, CLUSTER_WIDTH, CLUSTER_GAIN = 96, 0.06, 3.0
"""Clusters of colour with a density of their own, which units are too smooth for, their width, and the factor
of their memberships."""
RIDGE, DRIFT_RIDGE = 0.01, 0.3
"""Penalties of the weights, and of the drift's, relative to the mean energy of the gradients of either."""
SCALES = 4
"""Scales at which gradients are compared."""
EVERY = 2
"""One in so many differences of the finest scale is looked at."""
FITTED_TO = 2**14
"""Larger images are reduced to about this many pixels for the fit; its functions then apply at full size."""
STRIP = 2**16
"""Pixels whose features are in memory at a time."""


def surroundings(guide: Tensor) -> Tensor:
    """Return colours and their blurs in [-1, 1]: (1, C, H, W) -> (1, 6 C, H, W)."""
    factor = min(guide.shape[-2:]) / REFERENCE
    return 2 * torch.cat([guide, *(_blurred(guide, factor * width) for width in BLURS)], dim=1) - 1


def _blurred(guide: Tensor, width: float) -> Tensor:
    """Return the guide under a Gaussian; a wide one is made of means of blocks, and interpolated."""
    if width <= WIDE:
        return blur(guide, width)
    size = guide.shape[-2:]
    factor = 2 * width / WIDE
    small = F.interpolate(guide, [max(2, round(n / factor)) for n in size], mode="area")
    return F.interpolate(blur(small, width / factor), size, mode="bilinear")


class UnitFeatures:
    """Feature images of one guide: its `surroundings`, tanh of random sums of them, clusters of colour, and a
    `Drift`.

    Parameters
    ----------
    guide : Tensor of shape (1, C, H, W)
        The guide as it lies on the mixture, in [0, 1], at the size of the fit.
    seed : int
        Seed of the units and of the drift's clusters.
    """

    def __init__(self, guide: Tensor, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        channels, inputs = guide.shape[1], guide.shape[1] * (1 + len(BLURS))
        weights = torch.randn(UNITS, inputs, generator=generator)
        biases = torch.randn(UNITS, generator=generator)
        alone = torch.arange(UNITS) < UNITS // 2
        weights[alone, channels:] = 0
        weights[~alone, channels:] *= BLURRED_GAIN
        weights *= GAIN * torch.where(alone, channels**-0.5, inputs**-0.5)[:, None]
        biases[~alone] *= BLURRED_GAIN
        self.weights, self.biases = weights.to(guide), biases.to(guide)
        self.clusters = ColourBasis(fit_centres(guide, CLUSTERS, seed=seed), CLUSTER_WIDTH)
        self.drift = Drift(guide, seed)
        self.n_steady = inputs + UNITS + len(self.clusters.centres)

    def __len__(self) -> int:
        return self.n_steady + len(self.drift)

    def __call__(self, guide: Tensor, inputs: Tensor, window: Window) -> Tensor:
        """Return features (N, h, w) of a window of a guide (1, C, H, W) and its `surroundings` (1, 6 C, H,
        W)."""
        seen = window.crop(inputs)[0]
        units = torch.einsum("ni,ihw->nhw", self.weights, seen).add_(self.biases[:, None, None]).tanh_()
        clusters = CLUSTER_GAIN * self.clusters.memberships(window.crop(guide)[0])
        return torch.cat([seen, units, clusters, self.drift(guide, window)])


@dataclass(frozen=True)
class UnitFit:
    """The fitted functions.

    Parameters
    ----------
    features : list of UnitFeatures
        Of each guide.
    weights : list of Tensor (N, C)
        Of each guide.
    """

    features: list[UnitFeatures]
    weights: list[Tensor]

    def explain(self, guides: Sequence[Tensor]) -> list[Tensor]:
        """Return what each guide (1, C_g, H, W), of any size, explains: (C, H, W); the mean is arbitrary."""
        found = []
        for guide, features, weights in zip(guides, self.features, self.weights, strict=True):
            height, width = guide.shape[-2:]
            inputs = surroundings(guide)
            parts = [
                torch.einsum("nc,nhw->chw", weights, features(guide, inputs, strip))
                for strip in strips(height, width, STRIP)
            ]
            found.append(torch.cat(parts, dim=1))
        return found


def fitting_units(
    guides: Sequence[Tensor], observation: Tensor, valid: Tensor | None, *, seed: int
) -> Stages[UnitFit]:
    """Fit the weights of all guides' features together, by ridge regression on gradients, and tell the
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
        Seed of the units and of the clusters.

    References
    ----------
    Rahimi and Recht, "Weighted Sums of Random Kitchen Sinks: Replacing minimization with randomization in
    learning", NIPS 2008.
    """
    guides, observation, valid = reduced_inputs(guides, observation, valid, FITTED_TO)
    size = (observation.shape[-2], observation.shape[-1])
    yield Stage("features")
    features = [UnitFeatures(guide, seed) for guide in guides]
    whole = Window(0, 0, *size)
    images = torch.cat([f(g, surroundings(g), whole) for f, g in zip(features, guides, strict=True)])
    piece = Piece(images, observation[0], None if valid is None else valid[0])
    gram = images.new_zeros((len(images),) * 2, dtype=torch.float64)
    cross = images.new_zeros((len(images), observation.shape[1]), dtype=torch.float64)
    for scale in range(SCALES):
        piece = piece.halved() if scale else piece
        if min(piece.target.shape[-2:]) < 2:
            break
        yield Stage(f"scale {scale + 1} of {SCALES}")
        every = 1 if scale else EVERY
        _, rows, steps, *_ = difference_rows(piece, scale, every)
        weight = (every / steps.abs().mean().clamp_min(LEAST) ** 2).expand(len(steps))
        gram += weighted_gram(rows, weight).double()
        cross += (rows.T @ (weight[:, None] * steps)).double()
    drifting = torch.cat([torch.arange(len(f)) >= f.n_steady for f in features]).to(images.device)
    energy = torch.diagonal(gram)
    ridge = torch.where(drifting, DRIFT_RIDGE * energy[drifting].mean(), RIDGE * energy[~drifting].mean())
    weights = torch.linalg.solve(gram + torch.diag(ridge), cross).to(images)
    return UnitFit(features, list(weights.split([len(f) for f in features])))
