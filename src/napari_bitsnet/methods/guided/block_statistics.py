"""A regression's normal equations kept apart by blocks of the image: what they say about how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable
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
"""Error of sums in float32 relative to their mean diagonal, for each row and column: the norm of the error grows with them."""
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
    """

    grams: Tensor
    crosses: Tensor
    energies: Tensor
    precision: Tensor
    prior: Tensor | None = None

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
            ``1 - sum_f |y_f - X_f w_{-f}|² / sum_f |y_f|²`` over `FOLDS` folds of blocks; 1 where all is explained, 0
            where nothing is, negative where the fit misleads.
        """
        blocks = torch.arange(len(self.grams))
        left = total = 0.0
        for fold in range(min(FOLDS, len(blocks))):
            inside = blocks % FOLDS == fold
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

    def bootstrap(self, draws: int, generator: torch.Generator) -> Tensor:
        """Coefficients (draws, N, C) of fits to blocks drawn with replacement."""
        count = len(self.grams)
        picked = torch.randint(count, (draws, count), generator=generator)
        return self.solve(torch.nn.functional.one_hot(picked, count).sum(1))

    def inflation(self, features: Tensor, *, draws: int, generator: torch.Generator) -> float:
        """How much more coefficients vary over blocks than independent rows would have it.

        Parameters
        ----------
        features : Tensor of shape (S, N)
            Rows whose fitted values are looked at, less their mean.
        draws : int
            Bootstrap fits.
        generator : Generator
            Draws the blocks.

        Returns
        -------
        float
            Ratio of standard deviations, >= 1: the median over rows.

        References
        ----------
        Künsch, "The Jackknife and the Bootstrap for General Stationary Observations", Annals of Statistics 17(3), 1989,
        doi:10.1214/aos/1176347265. Departure: blocks do not overlap.
        """
        replicates = self.bootstrap(draws, generator)
        spread = (features.double() @ (replicates - replicates.mean(0))).square().sum((0, 2)) / (draws - 1)
        channels = replicates.shape[2]
        assumed = channels * (features.double() @ self.posterior_root()).square().sum(1)
        return max(1.0, float((spread / assumed.clamp(min=1e-30)).median().sqrt()))


def block_statistics(
    pieces: Iterable[Piece],
    fit: GradientFit,
    precision: Tensor,
    *,
    scales: int,
    prior: Tensor | None = None,
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
    """
    grams, crosses, energies = [], [], []
    for piece in pieces:
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
            gram += weighted_gram(rows, weight)
            cross += rows.T @ (weight[:, None] * steps)
            energy += float((weight[:, None] * steps**2).sum())
        if seen:
            grams.append(gram)
            crosses.append(cross)
            energies.append(energy)
    return BlockStatistics(
        torch.stack(grams),
        torch.stack(crosses),
        torch.tensor(energies),
        precision.to(grams[0].device),
        prior,
    )
