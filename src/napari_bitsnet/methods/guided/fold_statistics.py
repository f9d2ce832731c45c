"""A regression's normal equations kept apart by folds of the image: what they say about how far to trust
it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import torch
from torch import Tensor

from napari_bitsnet.methods.guided.gradient_fit import Sums

ROUNDING = 2e-7
"""Error of sums in float32 relative to their mean diagonal, for each row and column: the norm of the error
grows with them."""


@dataclass(frozen=True)
class FoldStatistics:
    """Sums over the difference rows of each fold, with the weights v of the robust fit's last round.

    Parameters
    ----------
    folds : tuple of Sums
        Of each fold; folds without valid pixels are absent.
    precision : Tensor of shape (N,)
        Of the prior, the diagonal P.
    prior : Tensor of shape (N, C), optional
        Its mean; zero if None.
    """

    folds: tuple[Sums, ...]
    precision: Tensor
    prior: Tensor | None = None

    @classmethod
    def of(cls, folds: Mapping[int, Sums], precision: Tensor, prior: Tensor | None = None) -> FoldStatistics:
        """Return the statistics of a fit to pieces with folds.

        Parameters
        ----------
        folds : mapping of int to Sums
            Of the fit.
        precision, prior : Tensor
            As it was fitted with.
        """
        found = tuple(folds[number] for number in sorted(folds))
        return cls(found, precision.to(found[0].gram.device), prior)

    @cached_property
    def total(self) -> Sums:
        """The sums over all folds."""
        return reduce(Sums.plus, self.folds)

    def solve(self, sums: Sums) -> Tensor:
        """Return the coefficients (N, C) that are fitted to some of the sums."""
        cross = sums.cross
        if self.prior is not None:
            cross = cross + self.precision.double()[:, None] * self.prior.double()
        return torch.linalg.solve(sums.gram + self._ridge, cross)

    @cached_property
    def _ridge(self) -> Tensor:
        """P, and what keeps sums in float32 positive definite: (N, N)."""
        rounding = ROUNDING * len(self.precision) * float(torch.diagonal(self.total.gram).mean())
        return torch.diag(self.precision.double() + rounding)

    def explained_energy(self) -> float:
        """Part of the gradients' weighted energy that coefficients fitted on other folds explain.

        Returns
        -------
        float
            ``1 - sum_f |y_f - X_f w_{-f}|² / sum_f |y_f|²``; 1 where all is explained, 0 where nothing is,
            negative where the fit misleads.
        """
        left = 0.0
        for fold in self.folds:
            w = self.solve(self.total.plus(fold.times(-1)))  # fitted on all others
            left += float(fold.energy - 2 * (w * fold.cross).sum() + (w * (fold.gram @ w)).sum())
        return 1 - left / self.total.energy if self.total.energy > 0 else 0.0

    def without(self, columns: slice) -> FoldStatistics:
        """Return the statistics of the same fit without some of its columns."""
        kept = torch.ones(len(self.precision), dtype=torch.bool, device=self.precision.device)
        kept[columns] = False
        return FoldStatistics(
            tuple(
                fold._replace(gram=fold.gram[kept][:, kept], cross=fold.cross[kept]) for fold in self.folds
            ),
            self.precision[kept],
            None if self.prior is None else self.prior[kept],
        )

    def own_energies(self, counts: Sequence[int]) -> list[float]:
        """Return what each group of so many columns adds to the `explained_energy` of all others."""
        total, start, own = self.explained_energy(), 0, []
        for count in counts:
            others = self.without(slice(start, start + count))
            own.append(total - (others.explained_energy() if len(others.precision) else 0.0))
            start += count
        return own

    def posterior_root(self) -> Tensor:
        """R (N, N) with ``R Rᵀ = (sum_f G_f + P)⁻¹``, the posterior covariance if rows were independent."""
        gram = self.total.gram + self._ridge
        lower = torch.linalg.cholesky(gram)
        identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        return torch.linalg.solve_triangular(lower.T, identity, upper=True)
