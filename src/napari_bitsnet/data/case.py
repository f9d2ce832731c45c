"""Separation problem with known sources, for the demo and for benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_bitsnet.api import Result


@dataclass(frozen=True)
class Case:
    """Problem with its true sources and the reference answers for its scores.

    Parameters
    ----------
    name, group : str
        Name of the case, and of its table.
    task : str
        A registered task.
    mixture : ndarray of shape (Y, X[, C]) or (M, Y, X[, C])
        Input of the method; a film is (T, Y, X, C).
    truths : ndarray of shape (K, Y, X[, C])
        Shares of the mixture, or whole images if `shares` is False; a film's are (K, T, Y, X, C).
    guides, hints, mask, options
        As in `napari_bitsnet.run`.
    shares : bool
        True if the truths add up to the mixture.
    scored_mixture : ndarray, optional
        Image used as the null answer, by default the mixture. For an attenuation image it is the optical
        density.
    lo, hi : float, optional
        Values that count as 0 and 1 in scores; by default the null's minimum and maximum.
    ceiling : ndarray, optional
        Best possible answer, from exact knowledge of the forward model; None if it cannot be computed.
    scored : tuple of str
        Names of the outputs that are compared with the truths; empty means the sources.
    baselines : mapping of str to callable
        Answers of other software, (K, Y, X[, C]) each; computed when a table is made.
    apart : bool
        True if a film's frames are run one by one instead of as a stack.
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
        """Return True if mixture and truths have frames."""
        return self.truths.ndim == 5

    @property
    def null(self) -> NDArray:
        """Return the mixture as used for the null answer; for several mixtures, their mean."""
        if self.scored_mixture is not None:
            return self.scored_mixture
        several = self.mixture.ndim == self.truths.ndim
        return self.mixture.mean(axis=0) if several else self.mixture

    def answer(self, result: Result) -> NDArray:
        """Return the outputs that are compared with the truths, (K, Y, X[, C])."""
        return np.stack([result.outputs[name] for name in self.scored]) if self.scored else result.sources

    def score(self, sources: NDArray) -> dict[str, Any]:
        """Score an answer (K, Y, X[, C]); returns the dictionary of `core.metrics.score`."""
        from napari_bitsnet.core.metrics import score

        layout = frames_as_channels if self.is_film else np.asarray
        images = (layout(each) for each in (sources, self.truths, self.null))
        return score(*images, shares=self.shares, lo=self.lo, hi=self.hi)

    def references(self) -> dict[str, NDArray]:
        """Return the reference answers for every score, (K, Y, X[, C]) each.

        Returns
        -------
        dict
            ``"null: mixture"``; ``"null: best empty answer"``, the answer with the highest gain among those
            that only shift or scale the mixture; and ``"ceiling"``, if it is known.
        """
        from napari_bitsnet.core.metrics import empty_answers

        null, n = self.null.astype(np.float64), len(self.truths)
        lo = float(np.nanmin(null)) if self.lo is None else self.lo
        hi = float(np.nanmax(null)) if self.hi is None else self.hi
        factor = n if self.shares else 1

        def own_units(parts: NDArray) -> NDArray:
            return parts * (hi - lo) * n / factor + lo / factor

        unit = (null - lo) / (hi - lo)
        empty = [own_units(parts) for parts in empty_answers(unit, n)]
        best = max(empty, key=lambda answer: self.score(answer)["mean_gain"])
        found = {"null: mixture": own_units(np.stack([unit / n] * n)), "null: best empty answer": best}
        return found if self.ceiling is None else found | {"ceiling": self.ceiling}


def frames_as_channels(film: NDArray) -> NDArray:
    """Convert (..., T, Y, X, C) to an image with T C channels, because scores average channels."""
    image = np.moveaxis(film, -4, -2)
    return image.reshape(*image.shape[:-2], -1)
