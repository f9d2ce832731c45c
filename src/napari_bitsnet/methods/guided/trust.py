"""How far a fitted `GuidedModel` can be trusted: whether what it learnt holds elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods.guided.fit import Data
from napari_bitsnet.methods.guided.model import GuidedModel

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.methods.guided.block_statistics import BlockStatistics
    from napari_bitsnet.methods.guided.gradient_fit import GradientFit

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
    data: Data,
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
    data : Data
        What was fitted to.
    fit : GradientFit
        Its outcome, with the sums of the blocks of the data.
    precision : Tensor of shape (N,)
        Of the prior it was fitted with.
    seed : int
        Chooses the pixels whose colours are looked at.
    prior : Tensor of shape (N, C), optional
        Mean of the prior it was fitted with.
    """
    import torch

    from napari_bitsnet.methods.guided.block_statistics import BlockStatistics

    yield Stage("trust, blocks of the image")
    statistics = BlockStatistics.of(fit.blocks, precision, prior=prior)
    generator = torch.Generator().manual_seed(seed)
    per_window = max(1, LOOKED_AT // len(data.blocks))
    rows: list[Tensor] = []
    for window in data.blocks:
        flat = model.all_features(window).flatten(1)
        chosen = torch.randint(flat.shape[1], (per_window,), generator=generator).to(flat.device)
        rows.append(flat[:, chosen].T)
    seen = torch.cat(rows)
    root = statistics.posterior_root()
    extrapolated = _extrapolated(statistics, model, seen - seen.mean(dim=0), root)
    return Trust(statistics.explained_energy(), extrapolated)


def _extrapolated(statistics: BlockStatistics, model: GuidedModel, rows: Tensor, root: Tensor) -> float:
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
