"""A regression's normal equations kept apart by blocks of the image: what they say about how far to trust
it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from napari_bitsnet.methods.guided.gradient_fit import BlockSums

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

    @classmethod
    def of(
        cls,
        blocks: Mapping[int, BlockSums],
        precision: Tensor,
        *,
        prior: Tensor | None = None,
        folds: Sequence[int] | None = None,
    ) -> BlockStatistics:
        """Return the statistics of a fit to pieces with blocks.

        Parameters
        ----------
        blocks : mapping of int to BlockSums
            Of the fit; blocks without valid pixels are absent.
        precision : Tensor of shape (N,)
            As it was fitted with.
        prior : Tensor of shape (N, C), optional
            As it was fitted with.
        folds : sequence of int, optional
            Fold of each block, by its number.
        """
        numbers = sorted(blocks)
        grams = torch.stack([blocks[n].gram for n in numbers])
        return cls(
            grams,
            torch.stack([blocks[n].cross for n in numbers]),
            torch.tensor([blocks[n].energy for n in numbers]),
            precision.to(grams.device),
            prior,
            None if folds is None else tuple(folds[n] for n in numbers),
        )

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
