"""Robust regression of an image's gradients, at several scales, on those of feature images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.stages import Stage, Stages, exhaust

FLOOR = 0.1
"""Residuals below this part of the mean absolute one count as Gaussian rather than Laplacian."""
LEAST = 1e-5
"""Floor of m_s, on the [0, 1] scale: residuals that small are rounding."""


COLUMNS = 128
"""Of a symmetric product that are computed at a time."""
ROWS = 2**15
"""That are weighted at a time, for the sake of memory."""


class Piece(NamedTuple):
    """What is regressed on one window: features (N, h, w), target (C, h, w), valid (1, h, w) bool or None."""

    features: Tensor
    target: Tensor
    valid: Tensor | None = None


@dataclass(frozen=True)
class GradientFit:
    """Coefficients (N, C) and, for each scale, the mean absolute residual of the gradients."""

    coefficients: Tensor
    misfits: list[float]


def difference_rows(piece: Piece, scale: int) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical differences of the means of 2^scale blocks, those with missing pixels left out.

    Returns
    -------
    features : Tensor of shape (R, N)
    target : Tensor of shape (R, C)
    """
    images = torch.cat([piece.features, piece.target])
    bad = None if piece.valid is None else (~piece.valid).to(images)
    if scale:
        images = F.avg_pool2d(images[None], 2**scale)[0]
        bad = None if bad is None else F.max_pool2d(bad[None], 2**scale)[0]
    rows = []
    for axis in (1, 2):
        steps = images.diff(dim=axis).flatten(1)
        if bad is not None:
            length = bad.shape[axis] - 1
            touched = bad.narrow(axis, 0, length) + bad.narrow(axis, 1, length)
            steps = steps[:, touched.flatten() == 0]
        rows.append(steps)
    stacked = torch.cat(rows, dim=1)
    count = len(piece.features)
    return stacked[:count].T, stacked[count:].T


def weighted_gram(rows: Tensor, weight: Tensor) -> Tensor:
    """``sum_r v_r x_r x_rᵀ`` (N, N) of rows x (R, N) with weights v (R,).

    It is symmetric: one triangle is computed, `COLUMNS` at a time, and mirrored.
    """
    gram = rows.new_zeros((rows.shape[1],) * 2)
    for part, factor in zip(rows.split(ROWS), weight.split(ROWS), strict=True):
        weighted = part * factor[:, None]
        for start in range(0, len(gram), COLUMNS):
            columns = slice(start, start + COLUMNS)
            gram[columns, start:] += weighted[:, columns].T @ part[:, start:]
    return gram.triu() + gram.triu(1).T


def fit_gradients(
    pieces: Iterable[Piece],
    precision: Tensor,
    *,
    scales: int = 1,
    n_reweightings: int = 6,
    prior: Tensor | None = None,
    emphasis: float = 0.0,
) -> GradientFit:
    """Find the w that minimises ``sum_s sum_r |∇_s target - ∇_s features · w| / m_s + (w - p)ᵀ P (w - p) / 2``.

    `fitting_gradients` does the same and tells its rounds.

    Parameters
    ----------
    pieces : iterable of Piece
        A list, whose difference rows are kept between rounds, or an iterable that makes its pieces anew each
        time and is read ``n_reweightings + 2`` times.
    precision : Tensor of shape (N,)
        P, the diagonal: one over the variance expected of each coefficient.
    scales : int
        Dyadic scales s = 0 …, of the gradients of block means; m_s is the scale's mean absolute residual.
    n_reweightings : int
        Of iteratively reweighted least squares.
    prior : Tensor of shape (N, C), optional
        p, zero if None.
    emphasis : float
        Rows of scale s have the further weight ``4^(emphasis s)``.

    Returns
    -------
    GradientFit
        On the device of the features.

    Raises
    ------
    ValueError
        If no piece is left: every pixel is missing.

    Notes
    -----
    Weights are ``1 / (m_s sqrt(r² + (FLOOR m_s)²))``, r the root mean square residual over channels. Normal equations are
    accumulated piece by piece, in float64, so that memory does not grow with the image.
    """
    fitting = fitting_gradients(
        pieces, precision, scales=scales, n_reweightings=n_reweightings, prior=prior, emphasis=emphasis
    )
    return exhaust(fitting)


def fitting_gradients(
    pieces: Iterable[Piece],
    precision: Tensor,
    *,
    scales: int = 1,
    n_reweightings: int = 6,
    prior: Tensor | None = None,
    emphasis: float = 0.0,
) -> Stages[GradientFit]:
    """Do what `fit_gradients` does, and tell each round of reweighting before it begins."""
    first = next(iter(pieces))
    solution = first.target.new_zeros((len(precision), len(first.target)))
    precision = precision.double().cpu()
    pull = precision[:, None] * (0 * solution if prior is None else prior).double().cpu()  # P p
    kept = list(_rows(pieces, scales)) if isinstance(pieces, list) else None

    def rows() -> Iterable[Rows]:
        return _rows(pieces, scales) if kept is None else kept

    misfits = _misfits(rows(), solution, scales)
    for turn in range(n_reweightings):
        yield Stage(f"round {turn + 1} of {n_reweightings}")
        gram, cross = torch.diag(precision), pull.clone()
        totals, counts = [0.0] * scales, [0] * scales
        for scale, features, target in rows():
            size = (target - features @ solution).square().mean(dim=1).sqrt()
            m = misfits[scale]
            weight = (
                1 / (m * (size**2 + (FLOOR * m) ** 2).sqrt()) if turn else torch.full_like(size, 1 / m**2)
            )
            if emphasis:
                weight = weight * 4 ** (emphasis * scale)
            gram += weighted_gram(features, weight).double().cpu()
            cross += (features.T @ (weight[:, None] * target)).double().cpu()
            totals[scale] += float(size.sum())
            counts[scale] += len(size)
        solution = torch.linalg.solve(gram, cross).to(solution)
        misfits = [max(t / max(c, 1), LEAST) for t, c in zip(totals, counts, strict=True)]
    return GradientFit(solution, _misfits(rows(), solution, scales))


Rows = tuple[int, Tensor, Tensor]
"""Scale, and difference rows of features (R, N) and target (R, C)."""


def _misfits(rows: Iterable[Rows], solution: Tensor, scales: int) -> list[float]:
    """Mean absolute residual of each scale, at least `LEAST`."""
    totals, counts = [0.0] * scales, [0] * scales
    for scale, features, target in rows:
        totals[scale] += float((target - features @ solution).square().mean(dim=1).sqrt().sum())
        counts[scale] += len(target)
    if not counts[0]:
        raise ValueError("Expected valid pixels next to each other to fit to, got none.")
    return [max(t / max(c, 1), LEAST) for t, c in zip(totals, counts, strict=True)]


def _rows(pieces: Iterable[Piece], scales: int) -> Iterator[Rows]:
    """Difference rows of every piece at every scale that it is large enough for."""
    for piece in pieces:
        for scale in range(scales):
            if min(piece.target.shape[-2:]) >= 2 ** (scale + 1):
                features, target = difference_rows(piece, scale)
                if len(target):
                    yield scale, features, target
