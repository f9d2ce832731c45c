"""Robust regression of an image's gradients, at several scales, on those of feature images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
NOTHING = "Expected valid pixels next to each other to fit to, got none."


COLUMNS = 128
"""Of a symmetric product that are computed at a time."""
ROWS = 2**15
"""That are weighted at a time, for the sake of memory."""


THINNED = 5
"""Every so manieth row of the finest scale is enough to find the weights of rows, on images of up to
`THINNED_PIXELS`; of larger ones fewer are, in proportion to their pixels. Of coarser scales, whose rows are
fewer, more are used."""
THINNED_PIXELS = 2**17
LEAST_THINNED = 2**15
"""Rows of smaller images are not thinned: the fit would follow noise, and it is quick anyway."""
PIXELS_PER_FEATURE = 26
"""Thinned rows are those of at least so many pixels for each feature, or all."""


class Piece(NamedTuple):
    """What is regressed on one window: features (N, h, w), target (C, h, w), valid (1, h, w) bool or None."""

    features: Tensor
    target: Tensor
    valid: Tensor | None = None


def thinning(pixels: int, n_features: int, scale: int) -> int:
    """Return k, of which every k-th row of a scale is used to find the weights of rows, on an image of so
    many pixels."""
    if pixels < LEAST_THINNED:
        return 1
    most = THINNED * max(1.0, pixels / THINNED_PIXELS)
    finest = max(1.0, min(most, pixels / (PIXELS_PER_FEATURE * n_features)))
    return max(1, int(finest / (1.0, 2.5, 5.0)[min(scale, 2)]))


@dataclass(frozen=True)
class GradientFit:
    """Coefficients (N, C) and, for each scale, the mean absolute residual of the gradients."""

    coefficients: Tensor
    misfits: list[float]


def difference_rows(piece: Piece, scale: int) -> tuple[Tensor, Tensor]:
    """Vertical and horizontal differences of the means of 2^scale blocks, those with missing pixels left out.

    Returns
    -------
    features : Tensor of shape (R, N)
    target : Tensor of shape (R, C)
    """
    whole = _whole_rows(piece, scale)
    features, target = (_differences(images, scale) for images in (piece.features, piece.target))
    if whole is not None:
        features, target = features[:, whole], target[:, whole]
    return features.T, target.T


def _differences(images: Tensor, scale: int) -> Tensor:
    """Differences (N, R) of images (N, h, w) at a scale, along y and then along x, written in place."""
    if scale:
        images = F.avg_pool2d(images[None], 2**scale)[0]
    count, height, width = images.shape
    first = (height - 1) * width
    steps = images.new_empty((count, first + height * (width - 1)))
    torch.sub(images[:, 1:], images[:, :-1], out=steps[:, :first].view(count, height - 1, width))
    torch.sub(images[..., 1:], images[..., :-1], out=steps[:, first:].view(count, height, width - 1))
    return steps


def _whole_rows(piece: Piece, scale: int) -> Tensor | None:
    """Whether no pixel of a difference is missing, (R,); None if none is anywhere."""
    if piece.valid is None:
        return None
    bad = (~piece.valid).to(piece.target)
    if scale:
        bad = F.max_pool2d(bad[None], 2**scale)[0]
    touched = torch.cat([(bad[:, 1:] + bad[:, :-1]).flatten(), (bad[..., 1:] + bad[..., :-1]).flatten()])
    return touched == 0


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


def fit_gradients(
    pieces: Iterable[Piece],
    precision: Tensor,
    *,
    scales: int = 1,
    n_reweightings: int = 6,
    prior: Tensor | None = None,
    emphasis: float = 0.0,
    pixels: int = 0,
) -> GradientFit:
    """Find the w that minimises ``sum_s sum_r |∇_s target - ∇_s features · w| / m_s + (w - p)ᵀ P (w - p) /
    2``.

    `fitting_gradients` does the same and tells its rounds.

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
        Of the image that is fitted to: the rounds before the last use part of its rows only, see `thinning`.
        With 0 all rounds use all rows.

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
    fitting = fitting_gradients(
        pieces,
        precision,
        scales=scales,
        n_reweightings=n_reweightings,
        prior=prior,
        emphasis=emphasis,
        pixels=pixels,
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
    pixels: int = 0,
) -> Stages[GradientFit]:
    """Do what `fit_gradients` does, and tell each round of reweighting before it begins."""
    some, everything = _kept_rows(pieces, scales, pixels)

    def rows(*, last: bool) -> Iterable[Rows]:
        return everything if last else some

    only = n_reweightings == 1
    solution = _zeros(rows(last=only), len(precision))
    precision = precision.double().cpu()
    pull = precision[:, None] * (0 * solution if prior is None else prior).double().cpu()  # P p
    misfits = _misfits(rows(last=only), solution, scales)
    for turn in range(n_reweightings):
        yield Stage(f"round {turn + 1} of {n_reweightings}")
        gram, cross = torch.diag(precision), pull.clone()
        totals, counts = [0.0] * scales, [0] * scales
        for scale, features, target in rows(last=turn == n_reweightings - 1):
            weight, size = row_weights(target - features @ solution, misfits[scale], scale, emphasis)
            if not turn:
                weight = torch.full_like(size, 4 ** (emphasis * scale) / misfits[scale] ** 2)
            gram += weighted_gram(features, weight).double().cpu()
            cross += (features.T @ (weight[:, None] * target)).double().cpu()
            totals[scale] += float(size.sum())
            counts[scale] += len(size)
        solution = torch.linalg.solve(gram, cross).to(solution)
        misfits = means(totals, counts)
    return GradientFit(solution, _misfits(everything, solution, scales))


Rows = tuple[int, Tensor, Tensor]
"""Scale, and difference rows of features (R, N) and target (R, C)."""


@dataclass(frozen=True)
class _Anew:
    """Difference rows of pieces, made anew each time."""

    pieces: Iterable[Piece]
    scales: int

    def __iter__(self) -> Iterator[Rows]:
        return _rows(self.pieces, self.scales)


def _kept_rows(pieces: Iterable[Piece], scales: int, pixels: int) -> tuple[Iterable[Rows], Iterable[Rows]]:
    """Rows of the rounds before the last, and of the last: thinned ones are kept, and all of them if the
    pieces are a list."""
    anew = _Anew(pieces, scales)
    everything: Iterable[Rows] = list(anew) if isinstance(pieces, list) else anew
    if pixels < LEAST_THINNED:
        return everything, everything
    some = []
    for scale, features, target in everything:
        step = thinning(pixels, features.shape[1], scale)
        some.append((scale, _every(features, step), _every(target, step)))
    return some, everything


def _every(rows: Tensor, step: int) -> Tensor:
    """Every so manieth row, in memory of its own."""
    return rows if step == 1 else rows.T[:, ::step].contiguous().T


def _zeros(rows: Iterable[Rows], count: int) -> Tensor:
    """Coefficients (count, C) that are zero."""
    _, _, target = next(iter(rows), (0, None, None))
    if target is None:
        raise ValueError(NOTHING)
    return target.new_zeros((count, target.shape[1]))


def _misfits(rows: Iterable[Rows], solution: Tensor, scales: int) -> list[float]:
    """Mean absolute residual of each scale, at least `LEAST`."""
    totals, counts = [0.0] * scales, [0] * scales
    for scale, features, target in rows:
        totals[scale] += float((target - features @ solution).square().mean(dim=1).sqrt().sum())
        counts[scale] += len(target)
    if not counts[0]:
        raise ValueError(NOTHING)
    return means(totals, counts)


def means(totals: Sequence[float], counts: Sequence[int]) -> list[float]:
    """Mean absolute residual of each scale from its sum and its number of rows, at least `LEAST`."""
    return [max(t / max(c, 1), LEAST) for t, c in zip(totals, counts, strict=True)]


def _rows(pieces: Iterable[Piece], scales: int) -> Iterator[Rows]:
    """Difference rows of every piece at every scale that it is large enough for."""
    for piece in pieces:
        for scale in range(scales):
            if min(piece.target.shape[-2:]) >= 2 ** (scale + 1):
                features, target = difference_rows(piece, scale)
                if len(target):
                    yield scale, features, target
