"""One separation problem with known truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_bitsnet.api import Result


@dataclass(frozen=True)
class Case:
    """A problem, its truth, and what can be known about the best possible answer.

    Parameters
    ----------
    name, group : str
        The case and the table it belongs to.
    task : str
        A registered task.
    mixture : ndarray of shape (Y, X[, C]) or (M, Y, X[, C])
        What the method sees.
    truths : ndarray of shape (K, Y, X[, C])
        Shares of the mixture, or whole images if `shares` is False.
    guides, hints, mask, options
        As in `napari_bitsnet.run`.
    shares : bool
        Whether truths add up to the mixture.
    scored_mixture : ndarray, optional
        What the null is computed from where it is not the mixture itself: the optical density of an
        attenuation image.
    lo, hi : float, optional
        Values that count as 0 and 1 in scores; default the scored mixture's minimum and maximum.
    ceiling : ndarray, optional
        The best answer of this kind if what can be known were known exactly; None where it cannot be
        computed.
    scored : tuple of str
        Names of the outputs that are compared with the truths; empty for the sources.
    baselines : mapping of str to callable
        What other software answers, (K, Y, X[, C]) each; computed when a table is made.
    apart : bool
        Whether a film's frames, a mixture (T, Y, X, C) with truths (K, T, Y, X, C), are run one by one, not as a stack.
    """

    name: str
    group: str
    task: str
    mixture: NDArray
    truths: NDArray
    guides: Sequence[NDArray | None] = ()
    hints: NDArray | None = None
    mask: NDArray | None = None
    options: dict[str, Any] = field(default_factory=dict)
    shares: bool = True
    scored_mixture: NDArray | None = None
    lo: float | None = None
    hi: float | None = None
    ceiling: NDArray | None = None
    scored: tuple[str, ...] = ()
    baselines: Mapping[str, Callable[[], NDArray]] = field(default_factory=dict)
    apart: bool = False

    @property
    def is_film(self) -> bool:
        """Whether mixture and truths have frames."""
        return self.truths.ndim == 5

    @property
    def null(self) -> NDArray:
        """The mixture that stands for no answer at all; for several mixtures their mean."""
        if self.scored_mixture is not None:
            return self.scored_mixture
        several = self.mixture.ndim == self.truths.ndim
        return self.mixture.mean(axis=0) if several else self.mixture

    def answer(self, result: Result) -> NDArray:
        """The outputs that are compared with the truths, (K, Y, X[, C])."""
        return np.stack([result.outputs[name] for name in self.scored]) if self.scored else result.sources


def frames_as_channels(film: NDArray) -> NDArray:
    """Lay out (..., T, Y, X, C) as an image of T C channels (..., Y, X, T C): scores are means over channels."""
    image = np.moveaxis(film, -4, -2)
    return image.reshape(*image.shape[:-2], -1)


Maker = tuple[str, Callable[[], Case]]
"""A case's group, and what makes the case: groups that are not wanted cost nothing."""


def half_and_half(name: str, group: str, first: NDArray, second: NDArray) -> Case:
    """Superimpose two images in [0, 1] half and half, ``I = (t_1 + t_2) / 2``, without rounding."""
    truths = np.stack([first, second]).astype(np.float32) / 2
    return Case(
        name,
        group,
        "separate",
        truths.sum(axis=0),
        truths,
        options={"low": 0.0, "high": 1.0},
        lo=0.0,
        hi=1.0,
    )


class Recording(TypedDict, total=False):
    """How `two_mixtures` are recorded."""

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
    """Mix images in [0, 1] with known weights, add noise, round to integers; the ceiling inverts the weights.

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
        Depth of the rounded mixtures, 8 or 16; 1 on the [0, 1] scale is the highest integer of that depth.
    seed : int
        Of the noise.
    rule : str
        What the method is told about the weights.
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
