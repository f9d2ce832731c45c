"""Notices about a result: those of the task, of the method, and of the outputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.runner import Session
from napari_bitsnet.core.images import bands
from napari_bitsnet.core.metrics import copy_fraction
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.outputs import Output, source_names
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.methods import METHODS

COPY_LIMIT = 0.9
"""Squared correlation of gradients above which a source counts as a copy of the mixture."""

WAYS_OUT = (
    "What helps: a guide (a photograph of one source), hints (scribbles that say which edge is whose), "
    "or a second mixture of the same sources."
)
WAYS_OUT_BESIDE_GUIDES = (
    "What helps: a guide that shows more of its source's structures, or a guide for every source; hints "
    "(scribbles that say which edge is whose); or a second mixture of the same sources."
)


class NotSeparatedWarning(UserWarning):
    """The sources are little more than shifted or scaled copies of the mixture."""


def warn(notices: Iterable[Notice], *, stacklevel: int) -> None:
    """Issue notices as Python warnings; `stacklevel` counts from the caller, as in `warnings.warn`."""
    for notice in notices:
        category = NotSeparatedWarning if notice.category == "not_separated" else UserWarning
        warnings.warn(str(notice), category, stacklevel=stacklevel + 1)


def plane_notices(session: Session, outputs: Mapping[str, Output]) -> list[Notice]:
    """Return the notices of one plane, each once."""
    task, problem, mixture = session.task, session.problem, session.inputs.mixture
    found = [*session.built.notices, *session.notices, *session.state.notices]
    if problem.mixing.name == "linear" and problem.n_sources > 1:
        better = recommended(session.method.name, mixture, problem.traits)
        found += better  # first: they need no more than this image
        copies = None
        if problem.density_of is None:
            sources = [outputs[name].array for name in source_names(outputs)]
            copies = not_separated(sources, mixture, problem.traits, better=bool(better))
        said = any(notice.category == "not_separated" for notice in session.state.notices)
        if copies is not None:
            found += [] if said else [copies]  # the method knows more about why
        elif "confidence" in outputs:
            found += doubtful(outputs["confidence"].array, session.method.doubtful_below(session.state))
    found += task.notices(session.built, session.inputs, outputs)
    return list({str(notice): notice for notice in found}.values())


def recommended(method: str, mixture: NDArray, traits: Traits) -> list[Notice]:
    """Return the recommendations of other methods for an image that `method` has separated."""
    others = (METHODS.get(name) for name in METHODS if name != method)
    found = (other.recommendation(mixture, traits) for other in others)
    return [notice for notice in found if notice is not None]


def not_separated(
    sources: Sequence[NDArray], mixture: NDArray, traits: Traits, *, better: bool = False
) -> Notice | None:
    """Return a notice if every source is little more than a copy of the mixture, else None.

    Parameters
    ----------
    sources : sequence of K arrays of shape (Y, X[, C])
        Shares of the mixture.
    mixture : array of shape (Y, X[, C])
        The observed image.
    traits : Traits
        Traits of the problem.
    better : bool
        Whether another method is `recommended`, which may separate this image alone.

    Notes
    -----
    In such an answer, every source has every edge of the mixture. See `copy_fraction`.
    """
    mixture = np.asarray(mixture)
    if mixture.ndim == 3:
        mixture = mixture[..., : sources[0].shape[-1]]
    fraction = copy_fraction(np.stack([bands(source) for source in sources]), bands(mixture))
    if fraction < COPY_LIMIT:
        return None
    alone = "" if traits.n_guides or traits.has_hints else " from this image alone"
    if better:
        alone = " by this method"
    return Notice(
        "not_separated",
        f"Not separable{alone}: the sources are little more than shifted or scaled copies of the mixture "
        "(gradient correlation {correlation:.2f}).",
        WAYS_OUT_BESIDE_GUIDES if traits.n_guides else WAYS_OUT,
        {"correlation": fraction**0.5},
    )


def doubtful(confidence: NDArray, limit: float) -> list[Notice]:
    """Return a notice if a method hardly told the sources apart, by its own mean confidence in [0, 1]."""
    mean = float(np.nanmean(bands(np.asarray(confidence))))
    if mean >= limit:
        return []
    return [
        Notice(
            "doubtful",
            "Hardly told apart: the confidence is {mean:.2f} on average (0 to 1), and little is right where "
            "it is low.",
            WAYS_OUT,
            {"mean": mean},
        )
    ]
