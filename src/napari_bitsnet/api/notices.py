"""What a user should know before trusting a result."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.metrics import copy_fraction
from napari_bitsnet.core.problem import Traits

COPY_LIMIT = 0.9
"""Squared correlation of gradients above which a source counts as the mixture again."""

WAYS_OUT = (
    "What helps: a guide (a photograph of one source), hints (scribbles that say which edge is whose), "
    "or a second mixture of the same sources."
)


class NotSeparatedWarning(UserWarning):
    """The sources are little more than shifted or scaled copies of the mixture."""


def not_separated(sources: NDArray, mixture: NDArray, traits: Traits) -> str | None:
    """Return a warning if every source is little more than the mixture again, else None.

    Parameters
    ----------
    sources : array of shape (K, Y, X[, C])
        Shares of the mixture.
    mixture : array of shape (Y, X[, C])
        The observed image.
    traits : Traits
        What the method had to go on.

    Notes
    -----
    An empty answer has every edge of the mixture in every source. See `copy_fraction`.
    """
    mixture = np.asarray(mixture)
    if mixture.ndim == 3:
        mixture = mixture[..., : sources.shape[-1]]
    fraction = copy_fraction(sources, mixture)
    if fraction < COPY_LIMIT:
        return None
    alone = "" if traits.n_guides or traits.has_hints else " from this image alone"
    return (
        f"Not separable{alone}: the sources are little more than shifted or scaled copies of the mixture "
        f"(gradient correlation {fraction**0.5:.2f}). {WAYS_OUT}"
    )
