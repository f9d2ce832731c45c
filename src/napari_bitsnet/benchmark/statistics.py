"""What a column of scores says: middle, tails, and whether a difference is more than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def crosstalk(estimates: NDArray, truths: NDArray) -> list[float]:
    """How much of the other sources is left in each.

    Each estimate is regressed, with a constant, on all truths; the sum of the absolute coefficients of the
    others is divided by that of its own.

    Parameters
    ----------
    estimates, truths : arrays of shape (K, ...)
        In the same order; entries that are not finite in one of them are left out.

    Returns
    -------
    list of float
        0 for clean sources, 1 where the mixture itself is the answer; infinite where nothing of its own is
        there.
    """
    seen = (np.isfinite(truths) & np.isfinite(estimates)).all(axis=0).ravel()
    flat = truths.reshape(len(truths), -1)[:, seen].astype(np.float64)
    design = np.vstack([flat, np.ones(flat.shape[1])]).T
    found = []
    for k, estimate in enumerate(estimates.reshape(len(truths), -1)):
        coefficients = np.linalg.lstsq(design, estimate[seen].astype(np.float64), rcond=None)[0][:-1]
        others = float(np.abs(np.delete(coefficients, k)).sum())
        own = abs(float(coefficients[k]))
        found.append(others / own if own > 0 else float("inf"))
    return found


def overlap(estimates: NDArray, truths: NDArray) -> float:
    """Intersection over union of masks (K, Y, X), estimates counting as set above one half; mean over K."""
    found = np.asarray(estimates) > 0.5
    both, either = (found & truths).sum(axis=(1, 2)), (found | truths).sum(axis=(1, 2))
    return float(np.mean(both / np.maximum(either, 1)))


def bootstrap_interval(
    differences: Sequence[float], *, level: float = 0.95, draws: int = 4000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean of paired differences.

    Parameters
    ----------
    differences : sequence of float
        One a case.
    level : float
        Coverage, in (0, 1).
    draws : int
        Resamples.
    seed : int
        Of the resampling.

    References
    ----------
    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, doi:10.1201/9780429246593.
    """
    values = np.asarray(differences, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def summary(values: Sequence[float]) -> dict[str, float]:
    """Mean, median and lower decile."""
    column = np.asarray(values, dtype=np.float64)
    return {
        "mean": float(column.mean()),
        "median": float(np.median(column)),
        "lower_decile": float(np.quantile(column, 0.1)),
    }
