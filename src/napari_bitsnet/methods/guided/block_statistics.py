"""A regression's normal equations kept apart by blocks of the image: what they say about how far to trust
it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from napari_bitsnet.methods.guided.gradient_fit import (
    FLOOR,
    GradientFit,
    Piece,
    difference_rows,
    weighted_gram,
)

ROUNDING = 2e-7
"""Error of sums in float32 relative to their mean diagonal, for each row and column: the norm of the error
grows with them."""
FOLDS = 4
"""Parts into which blocks are divided for cross-validation."""


@dataclass(frozen=True)
class BlockStatistics:
    """Sums over the difference rows of each block b, with the weights v of the robust fit's last round.

    Parameters
    ----------
    grams : Tensor of shape (B, N, N)
        ``sum_r v_r x_r x_rᵀ``.
    crosses : Tensor of shape (B, N, C)
        ``sum_r v_r x_r y_rᵀ``.
    energies : Tensor of shape (B,)
        ``sum_r v_r |y_r|²``.
    precision : Tensor of shape (N,)
        Of the prior, the diagonal P.
    prior : Tensor of shape (N, C), optional
        Its mean; zero if None.
    folds : tuple of int, optional
        Fold of each block for cross-validation; default the blocks in turn.
    """

    grams: Tensor
    crosses: Tensor
    energies: Tensor
    precision: Tensor
    prior: Tensor | None = None
    folds: tuple[int, ...] | None = None

    def solve(self, counts: Tensor) -> Tensor:
        """Coefficients (R, N, C) if block b had been seen ``counts[r, b]`` times, counts (R, B)."""
        counts = counts.to(self.grams)
        gram = torch.einsum("rb,bnm->rnm", counts, self.grams).double()
        cross = torch.einsum("rb,bnc->rnc", counts, self.crosses).double()
        if self.prior is not None:
            cross = cross + self.precision.double()[:, None] * self.prior.double()
        return torch.linalg.solve(gram + self._ridge, cross)

    @cached_property
    def _ridge(self) -> Tensor:
        """P, and what keeps sums in float32 positive definite: (N, N)."""
        rounding = ROUNDING * len(self.precision) * float(torch.diagonal(self.grams.sum(0)).mean())
        return torch.diag(self.precision.double() + rounding)

    def explained_energy(self) -> float:
        """Part of the gradients' weighted energy that coefficients fitted on other blocks explain.

        Returns
        -------
        float
            ``1 - sum_f |y_f - X_f w_{-f}|² / sum_f |y_f|²`` over `FOLDS` folds of blocks; 1 where all is
            explained, 0 where nothing is, negative where the fit misleads.
        """
        folds = torch.arange(len(self.grams)) % FOLDS if self.folds is None else torch.tensor(self.folds)
        left = total = 0.0
        for fold in folds.unique():
            inside = folds == fold
            w = self.solve((~inside)[None])[0]
            gram, cross = self.grams[inside].sum(0).double(), self.crosses[inside].sum(0).double()
            energy = float(self.energies[inside].sum())
            left += energy - 2 * float((w * cross).sum()) + float((w * (gram @ w)).sum())
            total += energy
        return 1 - left / total if total > 0 else 0.0

    def posterior_root(self) -> Tensor:
        """R (N, N) with ``R Rᵀ = (sum_b G_b + P)⁻¹``, the posterior covariance if rows were independent."""
        gram = self.grams.sum(0).double() + self._ridge
        lower = torch.linalg.cholesky(gram)
        identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        return torch.linalg.solve_triangular(lower.T, identity, upper=True)


def block_statistics(
    pieces: Iterable[Piece],
    fit: GradientFit,
    precision: Tensor,
    *,
    scales: int,
    prior: Tensor | None = None,
    emphasis: float = 0.0,
    folds: Sequence[int] | None = None,
) -> BlockStatistics:
    """Accumulate the normal equations of a robust fit, one block a piece.

    Parameters
    ----------
    pieces : iterable of Piece
        One a block; those without valid pixels are left out.
    fit : GradientFit
        The finished fit, which gives the rows' weights; see `fit_gradients`.
    precision : Tensor of shape (N,)
        As it was fitted with.
    scales : int
        As it was fitted with.
    prior : Tensor of shape (N, C), optional
        As it was fitted with.
    emphasis : float
        As it was fitted with.
    folds : sequence of int, optional
        Fold of each piece; see `BlockStatistics`.
    """
    grams, crosses, energies, kept = [], [], [], []
    for index, piece in enumerate(pieces):
        gram = piece.features.new_zeros((len(piece.features),) * 2)
        cross = piece.features.new_zeros((len(piece.features), len(piece.target)))
        energy, seen = 0.0, False
        for scale in range(scales):
            if min(piece.target.shape[-2:]) < 2 ** (scale + 1):
                continue
            rows, steps = difference_rows(piece, scale)
            if not len(rows):
                continue
            seen = True
            m = fit.misfits[scale]
            size = (steps - rows @ fit.coefficients).square().mean(dim=1).sqrt()
            weight = 1 / (m * (size**2 + (FLOOR * m) ** 2).sqrt())
            if emphasis:
                weight = weight * 4 ** (emphasis * scale)
            gram += weighted_gram(rows, weight)
            cross += rows.T @ (weight[:, None] * steps)
            energy += float((weight[:, None] * steps**2).sum())
        if seen:
            grams.append(gram)
            crosses.append(cross)
            energies.append(energy)
            kept.append(index)
    return BlockStatistics(
        torch.stack(grams),
        torch.stack(crosses),
        torch.tensor(energies),
        precision.to(grams[0].device),
        prior,
        None if folds is None else tuple(folds[index] for index in kept),
    )
