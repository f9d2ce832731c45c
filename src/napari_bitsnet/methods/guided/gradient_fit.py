"""Robust regression of an image's gradients, at several scales, on those of feature images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.stages import Stage, Stages

FLOOR = 0.1
"""Residuals below this part of the mean absolute one count as Gaussian rather than Laplacian."""
LEAST = 1e-5
"""Floor of m_s, on the [0, 1] scale: residuals that small are rounding."""
NOTHING = "Expected valid pixels next to each other to fit to, got none."
COLUMNS = 128
"""Columns of a symmetric product that are computed at a time."""
ROWS = 2**13
"""Rows that are weighted at a time: they stay in a processor's cache."""
THINNED = 5
"""One in so many rows of the finest scale is enough, on images of up to `THINNED_PIXELS`; of larger ones
fewer are, in proportion to their pixels. Of coarser scales, whose rows are fewer, more are used."""
THINNED_PIXELS = 2**17
LEAST_THINNED = 2**15
"""Rows of smaller images are not thinned: the fit would follow noise, and it is quick anyway."""
PIXELS_PER_FEATURE = 26
"""Thinned rows are those of at least so many pixels for each feature, or all."""


class Piece(NamedTuple):
    """What is regressed on one window: features (N, h, w), target (C, h, w), valid (1, h, w) bool or None,
    and for each pixel the number of its fold (h, w), or None."""

    features: Tensor
    target: Tensor
    valid: Tensor | None = None
    folds: Tensor | None = None

    def halved(self) -> Piece:
        """Return the means of 2 x 2 pixels: valid ones where all four are, in a fold where all four are in
        it."""
        valid, folds = self.valid, self.folds
        if valid is not None:
            valid = F.max_pool2d((~valid).to(self.target)[None], 2)[0] == 0
        if folds is not None:
            lowest, highest = (
                sign * F.max_pool2d((sign * folds).to(self.target)[None, None], 2)[0, 0] for sign in (-1, 1)
            )
            folds = torch.where(lowest == highest, highest, -1.0).to(folds)
        features, target = (F.avg_pool2d(images[None], 2)[0] for images in (self.features, self.target))
        return Piece(features, target, valid, folds)


class Sums(NamedTuple):
    """Sums over difference rows with their weights, in float64: ``v x xᵀ`` (N, N), ``v x yᵀ`` (N, C) and
    ``v |y|²``."""

    gram: Tensor
    cross: Tensor
    energy: float

    def plus(self, other: Sums) -> Sums:
        """Return the sums over the rows of both."""
        return Sums(self.gram + other.gram, self.cross + other.cross, self.energy + other.energy)

    def times(self, factor: int) -> Sums:
        """Return the sums if each row stood there so many times."""
        return Sums(factor * self.gram, factor * self.cross, factor * self.energy)


def thinning(pixels: int, n_features: int, scale: int) -> int:
    """Return k, of which every k-th row of a scale is used on an image of so many pixels."""
    if pixels < LEAST_THINNED:
        return 1
    most = THINNED * max(1.0, pixels / THINNED_PIXELS)
    finest = max(1.0, min(most, pixels / (PIXELS_PER_FEATURE * n_features)))
    return max(1, round(finest / (1.0, 2.5, 5.0)[min(scale, 2)]))


@dataclass(frozen=True)
class GradientFit:
    """Coefficients (N, C), the mean absolute residual of the gradients at each scale, and the sums of the
    last round in each fold, if pieces have folds."""

    coefficients: Tensor
    misfits: list[float]
    folds: dict[int, Sums] = field(default_factory=dict)


class Rows(NamedTuple):
    """Difference rows at a scale: features (R, N), target (R, C), the fold (R,) of each row, -1 between two
    folds, or None; and the number of rows of the image that each stands for."""

    scale: int
    features: Tensor
    target: Tensor
    folds: Tensor | None = None
    each: int = 1


def difference_rows(piece: Piece, scale: int = 0, every: int = 1) -> Rows:
    """Vertical and horizontal differences of neighbouring pixels of a piece, those with missing pixels left
    out; `scale` is how often the piece was halved. Of each `every` rows of pixels one is looked at."""
    features, target = (_differences(images, every) for images in (piece.features, piece.target))
    folds = None
    if piece.folds is not None:
        folds = torch.cat([torch.where(a == b, a, -1).flatten() for a, b in _neighbours(piece.folds, every)])
    if piece.valid is not None:
        whole = torch.cat([(a & b).flatten() for a, b in _neighbours(piece.valid[0], every)])
        features, target = features[:, whole], target[:, whole]
        folds = None if folds is None else folds[whole]
    return Rows(scale, features.T, target.T, folds, every)


def _differences(images: Tensor, every: int) -> Tensor:
    """Differences (N, R) of images (N, h, w), along y and then along x, written in place."""
    pairs = _neighbours(images, every)
    steps = images.new_empty((len(images), sum(a[0].numel() for a, _ in pairs)))
    start = 0
    for a, b in pairs:
        stop = start + a[0].numel()
        torch.sub(a, b, out=steps[:, start:stop].view(a.shape))
        start = stop
    return steps


def _neighbours(images: Tensor, every: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The pixels (..., h, w) of each difference along y and along x, of one in `every` rows."""
    down = images[..., 1:, :][..., ::every, :], images[..., :-1, :][..., ::every, :]
    along = images[..., ::every, :]
    return down, (along[..., 1:], along[..., :-1])


def row_weights(residuals: Tensor, misfit: float, scale: int, emphasis: float = 0.0) -> tuple[Tensor, Tensor]:
    """Weights (R,) of rows with residuals (R, C) in a robust fit, and their root mean square residuals (R,).

    Weights are ``4^(emphasis scale) / (m sqrt(r² + (FLOOR m)²))``.
    """
    size = residuals.square().mean(dim=1).sqrt()
    return 4 ** (emphasis * scale) / (misfit * (size**2 + (FLOOR * misfit) ** 2).sqrt()), size


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


def fitting_gradients(
    pieces: Iterable[Piece],
    precision: Tensor,
    *,
    scales: int = 1,
    n_reweightings: int = 6,
    prior: Tensor | None = None,
    emphasis: float = 0.0,
    pixels: int = 0,
) -> Stages[GradientFit]:
    """Find the w that minimises ``sum_s sum_r |∇_s target - ∇_s features · w| / m_s + (w - p)ᵀ P (w - p) /
    2``.

    Each round of reweighting is told before it begins.

    Parameters
    ----------
    pieces : iterable of Piece
        A list, whose difference rows are kept between rounds, or an iterable that makes its pieces anew each
        time and is read at most ``n_reweightings + 3`` times.
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
    pixels : int
        Of the image that is fitted to: of a large one part of its rows is used, see `thinning`. With 0 all
        rows are.

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
    Weights are ``1 / (m_s sqrt(r² + (FLOOR m_s)²))``, r the root mean square residual over channels. Normal
    equations are accumulated piece by piece, in float64, so that memory does not grow with the image.
    """
    rows: Iterable[Rows] = _Differences(pieces, scales, len(precision), pixels)
    if isinstance(pieces, list):
        rows = list(rows)
    solution = _zeros(rows, len(precision))
    precision = precision.double().cpu()
    pull = precision[:, None] * (0 * solution if prior is None else prior).double().cpu()  # P p
    misfits = _misfits(rows, solution, scales)
    folds: dict[int, Sums] = {}
    for turn in range(n_reweightings):
        yield Stage(f"round {turn + 1} of {n_reweightings}")
        last = turn == n_reweightings - 1
        gram, cross = torch.diag(precision), pull.clone()
        totals, counts = [0.0] * scales, [0] * scales
        for part in rows:
            scale = part.scale
            weight, size = row_weights(
                part.target - part.features @ solution, misfits[scale], scale, emphasis
            )
            if not turn:
                weight = torch.full_like(size, 4 ** (emphasis * scale) / misfits[scale] ** 2)
            for fold, sums in _sums(part, weight, apart=last):
                gram += sums.gram.cpu()
                cross += sums.cross.cpu()
                if fold >= 0:
                    whole = sums.times(part.each)
                    folds[fold] = whole.plus(folds[fold]) if fold in folds else whole
            totals[scale] += float(size.sum())
            counts[scale] += len(size)
        solution = torch.linalg.solve(gram, cross).to(solution)
        misfits = means(totals, counts)
    return GradientFit(solution, _misfits(rows, solution, scales), folds)


def _sums(rows: Rows, weight: Tensor, *, apart: bool) -> Iterator[tuple[int, Sums]]:
    """Sums of rows with weights (R,), of each fold if they are kept apart, and of the rest, as fold -1."""
    if not apart or rows.folds is None:
        yield -1, _sum(rows.features, rows.target, weight)
        return
    for fold in rows.folds.unique().tolist():
        own = (rows.folds == fold).nonzero()[:, 0]
        # rows lie in memory as columns: picked there, they stay so
        yield fold, _sum(rows.features.T[:, own].T, rows.target[own], weight[own])


def _sum(features: Tensor, target: Tensor, weight: Tensor) -> Sums:
    weighted = weight[:, None] * target
    gram, cross = weighted_gram(features, weight), features.T @ weighted
    return Sums(gram.double(), cross.double(), float((weighted * target).sum()))


@dataclass(frozen=True)
class _Differences:
    """Difference rows of every piece at every scale that it is large enough for, made anew each time; see
    `thinning`."""

    pieces: Iterable[Piece]
    scales: int
    n_features: int
    pixels: int

    def __iter__(self) -> Iterator[Rows]:
        for piece in self.pieces:
            for scale in range(self.scales):
                piece = piece.halved() if scale else piece
                if min(piece.target.shape[-2:]) < 2:
                    break
                rows = difference_rows(piece, scale, thinning(self.pixels, self.n_features, scale))
                if len(rows.target):
                    yield rows


def _zeros(rows: Iterable[Rows], count: int) -> Tensor:
    """Coefficients (count, C) that are zero."""
    first = next(iter(rows), None)
    if first is None:
        raise ValueError(NOTHING)
    return first.target.new_zeros((count, first.target.shape[1]))


def _misfits(rows: Iterable[Rows], solution: Tensor, scales: int) -> list[float]:
    """Mean absolute residual of each scale, at least `LEAST`."""
    totals, counts = [0.0] * scales, [0] * scales
    for scale, features, target, _, _ in rows:
        totals[scale] += float((target - features @ solution).square().mean(dim=1).sqrt().sum())
        counts[scale] += len(target)
    if not counts[0]:
        raise ValueError(NOTHING)
    return means(totals, counts)


def means(totals: Sequence[float], counts: Sequence[int]) -> list[float]:
    """Mean absolute residual of each scale from its sum and its number of rows, at least `LEAST`."""
    return [max(t / max(c, 1), LEAST) for t, c in zip(totals, counts, strict=True)]
