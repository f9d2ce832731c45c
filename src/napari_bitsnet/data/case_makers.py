"""Make cases with known sources: superimposed images, weighted mixtures, simulated X-radiographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.case import Case

WEIGHTS = {"easy": np.array([[0.72, 0.28], [0.45, 0.55]]), "hard": np.array([[0.6, 0.4], [0.5, 0.5]])}
"""Weights of two mixtures; rows add to one, the condition numbers are 3.7 and 10."""


def half_and_half(name: str, group: str, first: NDArray, second: NDArray) -> Case:
    """Superimpose two images (Y, X[, C]) in [0, 1] without rounding: ``I = (t_1 + t_2) / 2``."""
    truths = np.stack([first, second]).astype(np.float32) / 2
    return Case(
        name, group, "separate", truths.sum(axis=0), truths, options={"low": 0.0, "high": 1.0}, lo=0.0, hi=1.0
    )


class Recording(TypedDict, total=False):
    """Noise level and bit depth of recorded mixtures; see `two_mixtures`."""

    noise: float
    bits: int


def two_mixtures(
    name: str,
    group: str,
    images: Sequence[NDArray],
    weights: NDArray,
    *,
    noise: float = 0.0,
    bits: int = 8,
    seed: int = 0,
    rule: str = "sum-to-one",
) -> Case:
    """Mix images in [0, 1] with known weights, add noise, and round to integers.

    The ceiling inverts the weights.

    Parameters
    ----------
    name, group : str
        As in `Case`.
    images : sequence of K arrays of shape (Y, X[, C])
        Whole images.
    weights : array of shape (M, K)
        Dimensionless.
    noise : float
        Standard deviation on the [0, 1] scale.
    bits : int
        Depth of the rounded mixtures, 8 or 16; 1 on the [0, 1] scale becomes the largest integer of that
        depth.
    seed : int
        Seed of the noise.
    rule : str
        Constraint on the weights that is passed to the method.
    """
    truths = np.stack(images).astype(np.float64)
    mixed = np.tensordot(weights, truths, axes=1)
    mixed = mixed + noise * np.random.default_rng(seed).standard_normal(mixed.shape)
    dtype = np.dtype(f"uint{bits}")
    highest = np.iinfo(dtype).max
    observed = np.round(np.clip(mixed, 0, 1) * highest).astype(dtype)
    known = np.tensordot(np.linalg.pinv(weights), observed.astype(np.float64), axes=1)
    return Case(
        name,
        group,
        "multi_mixture",
        observed,
        (truths * highest).astype(np.float32),
        options={"n_sources": len(images), "weights": rule},
        shares=False,
        lo=0.0,
        hi=float(highest),
        ceiling=known.astype(np.float32),
    )


def panel_case(seed: int, size: int, n_guides: int, group: str, **arguments: float) -> Case:
    """Return a simulated X-radiograph with one or two guides; see `simulate_panel`."""
    from napari_bitsnet.data.panel import simulate_panel

    panel = simulate_panel(seed, size, **arguments)  # type: ignore[arg-type]
    guides = [g if k < n_guides else None for k, g in enumerate(panel.guides)]
    return Case(
        f"panel {seed}, {n_guides} guide{'s'[: n_guides - 1]}",
        group,
        "xray",
        panel.mixture,
        panel.truths,
        guides=guides,
        ceiling=panel.ceiling(n_guides),
    )
