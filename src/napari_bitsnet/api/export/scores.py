"""A result beside the sources as they really are, on the scale on which its sources add up."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bitsnet.api.planes import Planes
from napari_bitsnet.core.arrays import as_array
from napari_bitsnet.core.outputs import Output, source_names
from napari_bitsnet.tasks import TASKS

WHOLE_IMAGES = 0.25
"""Squared error of the truths' mean, over that of their sum and over the mixture's variance, below which
truths are whole images, no parts."""


def score_slice(
    outputs: Mapping[str, Output],
    record: Mapping[str, Any],
    planes: Planes,
    truths: Sequence[ArrayLike],
    index: int = 0,
) -> dict[str, Any]:
    """Score one slice of a result on the scale on which the task says that its sources add up.

    Parameters
    ----------
    outputs : mapping of str to Output
        Of a task with sources.
    record : mapping
        Provenance of the run, as in `Result.provenance`.
    planes : Planes
        What was run on.
    truths : sequence of K arrays
        The true sources in the units and the layout of the result's; channels may come last, and one plane
        does for all slices.
    index : int
        Which slice.

    Returns
    -------
    dict
        As `metrics.score`.

    Raises
    ------
    FileNotFoundError
        If a flat or dark frame of the run is no longer where it was.
    ValueError
        If the task has no sources, these are not on the mixture's scale, or truths have another number or
        shape.
    """
    from napari_bitsnet.core.metrics import score

    names = source_names(outputs)
    if not names:
        raise ValueError(
            f"Expected a task with sources to score, got {record['task']!r}, which has none: leave out "
            "truths."
        )
    if len(truths) != len(names):
        raise ValueError(f"Expected {len(names)} truths, one a source, got {len(truths)}.")
    found, known = [], []
    for k, (name, truth) in enumerate(zip(names, truths, strict=True)):
        source = outputs[name].array
        found.append(_slice(source, planes, index, f"source {k + 1}"))
        what = f"truth {k + 1}"
        known.append(_slice(as_array(truth, what), planes, index, what, like=source.shape))
        if known[k].shape != found[k].shape:
            raise ValueError(
                f"Expected truth {k + 1} of shape {source.shape}, as the source is, got {np.shape(truth)}: "
                "crop or register it like the mixture."
            )
    kind = TASKS.get(record["task"])
    task = kind(kind.Config().updated(record["settings"]["options"]))
    mixture, sources, truth_stack = task.scorable(
        planes[index],
        np.stack(found).astype(np.float64),
        np.stack(known).astype(np.float64),
        record.get("i0", record.get("blank")),
        np.dtype(record.get("stored", planes.stored)),
    )
    if "C" in planes.axes:
        mixture = mixture[..., : sources.shape[-1]]  # opacity is not part of the mixture
    several = "M" in planes.axes
    if not several and _are_whole_images(truth_stack, mixture):
        warnings.warn(
            f"The truths add up to {len(names)} times the image, whereas sources are its parts and add up to "
            f"the image itself, so that these scores are too low: divide the truths by {len(names)}.",
            stacklevel=3,
        )
    return score(sources, truth_stack, mixture.mean(axis=0) if several else mixture, shares=not several)


def _are_whole_images(truths: NDArray, mixture: NDArray) -> bool:
    """Return whether the mean of truths (K, …), and not their sum, is the mixture."""
    total = truths.sum(axis=0)
    as_sum, as_mean = (np.nanmean((each - mixture) ** 2) for each in (total, total / len(truths)))
    return bool(as_mean < WHOLE_IMAGES * min(as_sum, np.nanvar(mixture)))


def _slice(
    image: NDArray, planes: Planes, index: int, what: str, like: tuple[int, ...] | None = None
) -> NDArray:
    """Slice `index` of an image in the layout of the mixture, or as guides are given where its shape is
    another."""
    if like is None or image.shape == like:
        of: Planes | None = Planes(image, planes.axes.replace("M", ""))
    else:
        of = planes.match(image, what)
    found = planes.plane_of(of, index)
    assert found is not None  # only of no image at all
    return found
