"""Settings of the task of several mixtures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.encoding import DESCRIPTION


class MultiMixtureConfig(Config):
    """Settings of the task; ``weights`` also takes an (M, K) array, which becomes ``"given"`` and its
    values."""

    n_sources: int = setting(2, "Number of sources, at most the number of mixtures.", ge=2, le=8, step=1)
    weights: Literal["free", "sum-to-one", "given"] = setting(
        "free",
        "What is known of the weights: nothing, so that sources are up to scale (free), that those of each "
        "mixture add to one (sum-to-one: transparent overlays), or all of them (given).",
    )
    given: tuple[float, ...] | None = setting(
        None, "With given weights: one for each mixture and source, mixture by mixture."
    )
    mixing: Literal["linear", "attenuation"] = setting(
        "linear", "How sources superimpose: they add (linear), or each weakens the beam (attenuation)."
    )
    encoding: Literal["linear", "srgb", "auto"] = setting(
        "auto",
        DESCRIPTION.format(
            auto="as the file says; colours of 8 bits that say nothing as the images themselves show"
        ),
    )
    registration: Literal["none", "shift"] = setting(
        "shift",
        "Registration of the mixtures on the first one: as they are (none), or moved by fractions of pixels "
        "where that is clear (shift).",
    )
    i0: float | None = setting(
        None,
        "Attenuation only: intensity without an object (I0); none takes each mixture's 99.5th percentile.",
        ge=1e-6,
        le=1e9,
        step=1.0,
    )
    low: float | None = setting(
        None,
        "Value that counts as 0; none takes 0, or the smallest value if negative or if weights add to one.",
        ge=-1e9,
        le=1e9,
        step=1.0,
    )
    high: float | None = setting(
        None, "Value that counts as 1; none takes the largest value.", ge=-1e9, le=1e9, step=1.0
    )

    @model_validator(mode="before")
    @classmethod
    def _read_array(cls, values: Any) -> Any:
        """Convert an array of weights to the rule ``"given"`` and its values, row by row."""
        if not isinstance(values, Mapping) or isinstance(values.get("weights", ""), str):
            return values
        weights = np.asarray(values["weights"], dtype=float)
        n_sources = values.get("n_sources", weights.shape[-1] if weights.ndim else 0)
        if weights.ndim != 2 or weights.shape[1] != int(n_sources):
            raise ValueError(
                f"Expected weights of shape (mixtures, {n_sources} sources), got shape {weights.shape}."
            )
        return {
            **values,
            "n_sources": n_sources,
            "weights": "given",
            "given": tuple(weights.ravel().tolist()),
        }

    @model_validator(mode="after")
    def _check_given(self) -> Self:
        if self.weights != "given" and self.given is not None:
            raise ValueError(
                f'Expected weights="given" where weights are listed in given, got {self.weights!r}: '
                "say so, or list none."
            )
        if self.weights != "given":
            return self
        if self.given is None:
            raise ValueError('Expected the weights in given with weights="given", got none.')
        if not np.isfinite(self.given).all():
            raise ValueError("Expected finite weights, got NaN or infinite ones.")
        if not self.given or len(self.given) % self.n_sources:
            raise ValueError(
                f"Expected {self.n_sources} weights for each mixture, got {len(self.given)} in all."
            )
        matrix = np.reshape(self.given, (-1, self.n_sources))
        if np.linalg.matrix_rank(matrix) < self.n_sources:
            raise ValueError(
                "Expected weights that tell the sources apart (independent columns, at least as many "
                f"mixtures as sources), got {matrix.tolist()}."
            )
        return self

    @property
    def matrix(self) -> NDArray | None:
        """Return the given weights (M, K), or None."""
        return None if self.given is None else np.reshape(self.given, (-1, self.n_sources))
