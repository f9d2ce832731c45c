"""How far a fitted `GuidedModel` can be trusted: whether what it learnt holds elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods.guided.model import GuidedModel

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from napari_bitsnet.methods.guided.fold_statistics import FoldStatistics
    from napari_bitsnet.methods.guided.gradient_fit import GradientFit, Piece

LOOKED_AT = 4096
"""Pixels whose colours are looked at."""


@dataclass(frozen=True)
class Trust:
    """What can be said about a fit without the truth.

    Parameters
    ----------
    explained_energy : float
        Part of the gradients' energy that is explained in blocks that were not fitted to.
    extrapolated : float
        Part of the pixels whose colours the fit says little about: their variance is nearly that before the
        fit.
    """

    explained_energy: float
    extrapolated: float


def judging(
    model: GuidedModel,
    pieces: Iterable[Piece],
    fit: GradientFit,
    precision: Tensor,
    *,
    seed: int,
    prior: Tensor | None = None,
) -> Stages[Trust]:
    """Judge a finished fit, and tell the stages of that.

    Parameters
    ----------
    model : GuidedModel
        With the weights of `fit`.
    pieces : iterable of Piece
        What was fitted to.
    fit : GradientFit
        Its outcome, with the sums of the folds.
    precision : Tensor of shape (N,)
        Of the prior it was fitted with.
    seed : int
        Chooses the pixels whose colours are looked at.
    prior : Tensor of shape (N, C), optional
        Mean of the prior it was fitted with.
    """
    import torch

    from napari_bitsnet.methods.guided.fold_statistics import FoldStatistics

    yield Stage("trust, blocks of the image")
    statistics = FoldStatistics.of(fit.folds, precision, prior)
    generator = torch.Generator().manual_seed(seed)
    seen = torch.cat([_some_pixels(piece.features, generator) for piece in pieces])
    seen = seen[:: max(1, len(seen) // LOOKED_AT)]
    root = statistics.posterior_root()
    extrapolated = _extrapolated(statistics, model, seen - seen.mean(dim=0), root)
    return Trust(statistics.explained_energy(), extrapolated)


def _some_pixels(features: Tensor, generator: Generator) -> Tensor:
    """Features (P, N) of up to `LOOKED_AT` pixels of a window."""
    import torch

    flat = features.flatten(1)
    chosen = torch.randint(flat.shape[1], (min(LOOKED_AT, flat.shape[1]),), generator=generator)
    return flat[:, chosen.to(flat.device)].T


def _extrapolated(statistics: FoldStatistics, model: GuidedModel, rows: Tensor, root: Tensor) -> float:
    """Part of the rows of which a guide's own part has kept more than half of its prior standard
    deviation."""
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
