"""How far a fitted `GuidedModel` can be trusted: intervals, and whether what it learnt holds elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods.guided.fit import Anew, Data
from napari_bitsnet.methods.guided.model import GuidedModel

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.displacement import Window
    from napari_bitsnet.methods.guided.block_statistics import BlockStatistics
    from napari_bitsnet.methods.guided.gradient_fit import GradientFit, Piece

BLOCKS = 48
"""About how many blocks an image that is fitted to as a whole is cut into."""
DRAWS = 32
"""Bootstrap fits, and samples of the posterior."""
LOOKED_AT = 4096
"""Pixels at which both are compared."""
MAP_PIXELS = 2**18
"""Pixels at which the interval is computed; larger images are interpolated."""
NORMAL_90 = 1.645
"""Half width of the 90 % interval of a Gaussian of standard deviation one."""
CALIBRATION = 1.09
"""Factor that brought the interval's coverage to 90 % on simulated panels (seeds 100 to 105, two guides)."""
HIDDEN_PART = 0.49
"""With one guide: part of the unexplained contrast that its own side is taken to hide, as root mean square."""
HIDDEN_WINDOW = 1 / 24
"""Radius of the window in which the unexplained contrast is measured, as a part of the shorter side."""


@dataclass(frozen=True)
class Trust:
    """What can be said about a fit without the truth.

    Parameters
    ----------
    explained_energy : float
        Part of the gradients' energy that is explained in blocks that were not fitted to.
    extrapolated : float
        Part of the pixels whose colours the fit says little about: their interval is nearly that before the fit.
    half_width : Tensor of shape (1, C, H, W)
        Of the 90 % interval of the sources, the widest of them, but for a constant; on the [0, 1] scale.
    """

    explained_energy: float
    extrapolated: float
    half_width: Tensor


def blocks_of(data: Data) -> list[Window]:
    """The windows that were fitted to, cut up if there are few."""
    from napari_bitsnet.core.displacement import Window

    pixels = sum(w.height * w.width for w in data.windows)
    side = max(16, round((pixels / BLOCKS) ** 0.5))
    cut = []
    for w in data.windows:
        rows, columns = max(1, round(w.height / side)), max(1, round(w.width / side))
        tops = [round(w.height * r / rows) for r in range(rows + 1)]
        lefts = [round(w.width * c / columns) for c in range(columns + 1)]
        cut += [
            Window(w.top + top, w.left + left, tops[r + 1] - top, lefts[c + 1] - left)
            for r, top in enumerate(tops[:-1])
            for c, left in enumerate(lefts[:-1])
        ]
    return cut


def judging(
    model: GuidedModel,
    data: Data,
    fit: GradientFit,
    precision: Tensor,
    unexplained: Tensor,
    *,
    n_sources: int,
    scales: int,
    seed: int,
    prior: Tensor | None = None,
) -> Stages[Trust]:
    """Judge a finished fit, and tell the stages of that.

    Parameters
    ----------
    model : GuidedModel
        With the weights of `fit`.
    data : Data
        What was fitted to.
    fit : GradientFit
        Its outcome.
    precision : Tensor of shape (N,)
        Of the prior it was fitted with.
    unexplained : Tensor of shape (1, C, H, W)
        What the model leaves, mean zero.
    n_sources : int
        K.
    scales : int
        As it was fitted with.
    seed : int
        Of the bootstrap and the samples.
    prior : Tensor of shape (N, C), optional
        Mean of the prior it was fitted with.

    Notes
    -----
    The error of a source is that of the weights, plus how what no guide shows is divided. For the first, the posterior of the
    ridge regression is sampled, its standard deviation stretched as the block bootstrap says. For the second,
    parts h_k of the unexplained ``u = sum h_k`` that are independent and equally strong have, around an even division,
    the variance ``var(u) (1 / K)(1 - 1 / K)``; var(u) is taken in a window. With a guide for some sources only,
    what these hide is not in the data: it is taken to be `HIDDEN_PART` of u.
    """
    import torch

    from napari_bitsnet.methods.guided.block_statistics import block_statistics
    from napari_bitsnet.methods.guided.gradient_fit import Piece

    windows = blocks_of(data)
    generator = torch.Generator().manual_seed(seed)
    per_window = max(1, LOOKED_AT // len(windows))
    rows: list[Tensor] = []

    def make() -> Iterator[Piece]:
        for window in windows:
            features = torch.cat([model.features(term, window) for term in model.terms])
            flat = features.flatten(1)
            chosen = torch.randint(flat.shape[1], (per_window,), generator=generator).to(flat.device)
            rows.append(flat[:, chosen].T)
            yield Piece(features, *data.target(window))

    yield Stage("trust, blocks of the image")
    statistics = block_statistics(Anew(make), fit, precision, scales=scales, prior=prior)
    seen = torch.cat(rows)
    middle = seen.mean(dim=0)
    yield Stage("trust, bootstrap")
    stretch = statistics.inflation(seen - middle, draws=DRAWS, generator=generator)
    root = statistics.posterior_root()
    noise = torch.randn(len(root), DRAWS, generator=generator, dtype=root.dtype).to(root.device)
    deviations = (stretch * root @ noise).to(seen)

    yield Stage("trust, interval")
    half_width = _half_width(model, deviations, middle, unexplained, n_sources)
    return Trust(
        statistics.explained_energy(), _extrapolated(statistics, model, seen - middle, root), half_width
    )


def _extrapolated(statistics: BlockStatistics, model: GuidedModel, rows: Tensor, root: Tensor) -> float:
    """Part of the rows of which a guide's own part has kept more than half of its prior standard deviation."""
    import torch

    doubtful = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    start = 0
    for term in model.terms:
        stop = start + len(term.weights)
        own = rows[:, start:stop].double()
        after = (own @ root[start:stop]).square().sum(1)
        before = (own.square() / statistics.precision[start:stop].double()).sum(1)
        doubtful |= after > before / 4
        start = stop
    return float(doubtful.double().mean())


def _half_width(
    model: GuidedModel, deviations: Tensor, middle: Tensor, unexplained: Tensor, n_sources: int
) -> Tensor:
    """Half width of the 90 % interval, (1, C, H, W)."""
    import torch
    from torch.nn import functional as F

    from napari_bitsnet.core.guided_filter import box_mean

    height, width = unexplained.shape[-2:]
    factor = min(1.0, (MAP_PIXELS / (height * width)) ** 0.5)
    size = (max(2, round(height * factor)), max(2, round(width * factor)))
    small = model.resized(size)
    guided = sorted({term.source for term in model.terms})
    takers = [k for k in range(n_sources) if k not in guided] or list(range(n_sources))
    parts = torch.zeros(n_sources, len(model.terms))  # of each guide's error in each source
    for g, term in enumerate(model.terms):
        parts[takers, g] -= 1 / len(takers)
        parts[term.source, g] += 1
    variance = unexplained.new_zeros((1, 1, *size))
    counts = [len(term.weights) for term in model.terms]
    for window in small.strips():
        errors = []
        for term, part, mean in zip(small.terms, deviations.split(counts), middle.split(counts), strict=True):
            flat = small.features(term, window).flatten(1)
            errors.append(part.T @ flat - (part.T @ mean)[:, None])  # (DRAWS, pixels)
        joint = torch.einsum("kg,gdp->kdp", parts.to(errors[0]), torch.stack(errors))
        widest = joint.square().mean(dim=1).amax(dim=0)
        window.crop(variance)[:] = widest.view(window.height, window.width)

    local = F.adaptive_avg_pool2d(unexplained.square(), size)
    radius = max(1, round(min(size) * HIDDEN_WINDOW / 2))
    local = box_mean(box_mean(local, radius), radius)  # twice: no corners
    hidden = HIDDEN_PART**2 if len(takers) < n_sources else (1 / n_sources) * (1 - 1 / n_sources)
    half = CALIBRATION * NORMAL_90 * (variance + hidden * local).sqrt()
    return half if factor == 1 else F.interpolate(half, (height, width), mode="bilinear", align_corners=False)
