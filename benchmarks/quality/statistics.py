"""Summary statistics of scores: crosstalk, overlap of masks, and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap


def crosstalk(estimates: NDArray, truths: NDArray) -> list[float]:
    """Return how much of the other sources is left in each.

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
    """Return the intersection over union of masks (K, Y, X), mean over K; estimates count as set above
    0.5."""
    found = np.asarray(estimates) > 0.5
    both, either = (found & truths).sum(axis=(1, 2)), (found | truths).sum(axis=(1, 2))
    return float(np.mean(both / np.maximum(either, 1)))


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of the mean, from 4000 resamples; None for fewer than two values.

    References
    ----------
    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, doi:10.1201/9780429246593.
    """
    if len(values) < 2:
        return None
    found = bootstrap(
        (np.asarray(values, dtype=np.float64),),
        np.mean,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def interval_text(values: Sequence[float]) -> str:
    """Return the interval of `bootstrap_interval` as text, empty where there is none."""
    found = bootstrap_interval(values)
    return "" if found is None else f"{found[0]:+.2f} … {found[1]:+.2f}"


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return mean, median and lower decile."""
    column = np.asarray(values, dtype=np.float64)
    return {
        "mean": float(column.mean()),
        "median": float(np.median(column)),
        "lower_decile": float(np.quantile(column, 0.1)),
    }
