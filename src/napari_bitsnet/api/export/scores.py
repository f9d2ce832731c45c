"""A result beside the sources as they really are, on the scale on which its sources add up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bitsnet.api.planes import Planes
from napari_bitsnet.api.result import Result
from napari_bitsnet.core.exposure import expose, intensity_to_density


def score_slice(
    result: Result, planes: Planes, truths: Sequence[ArrayLike], index: int = 0
) -> dict[str, Any]:
    """Score one slice of a result; under attenuation in optical density, whichever its sources are.

    Parameters
    ----------
    result : Result
        Of a task with sources.
    planes : Planes
        What was run on.
    truths : sequence of K arrays
        The true sources in the units and the layout of the result's; channels may come last, and one plane does for all
        slices.
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
        If the task has no sources, these are not on the mixture's scale, or truths have another number or shape.
    """
    from napari_bitsnet.core.metrics import score

    _check_comparable(result, truths)
    found, known = [], []
    for k, (source, truth) in enumerate(zip(result.sources, truths, strict=True)):
        found.append(_slice(source, planes, index, f"source {k + 1}"))
        known.append(_slice(np.asarray(truth), planes, index, f"truth {k + 1}", like=source.shape))
        if known[k].shape != found[k].shape:
            raise ValueError(
                f"Expected truth {k + 1} of shape {source.shape}, as the source is, got {np.shape(truth)}: crop or register "
                "it like the mixture."
            )
    options, mixture = result.provenance["task_settings"], planes[index]
    sources, truth_stack = np.stack(found).astype(np.float64), np.stack(known).astype(np.float64)
    if options.get("mixing") == "attenuation":
        mixture = _density(mixture, result)
        if options.get("output") == "intensity":
            blank = result.provenance["blank"]
            sources, truth_stack = _density_of(sources, blank), _density_of(truth_stack, blank)
    elif "C" in planes.axes:
        mixture = mixture[..., : sources.shape[-1]]  # opacity is not part of the mixture
    several = "M" in planes.axes
    return score(sources, truth_stack, mixture.mean(axis=0) if several else mixture, shares=not several)


def _check_comparable(result: Result, truths: Sequence[ArrayLike]) -> None:
    names = [name for name in result.outputs if name.startswith("source_")]
    task, options = result.provenance["task"], result.provenance["task_settings"]
    if not names:
        raise ValueError(
            f"Expected a task with sources to score, got {task!r}, which has none: leave out truths."
        )
    if len(truths) != len(names):
        raise ValueError(f"Expected {len(names)} truths, one a source, got {len(truths)}.")
    if task != "multi_mixture" or options["weights"] == "sum-to-one":
        return
    rows = np.reshape(options["given"] or (), (-1, options["n_sources"])).sum(axis=1)
    if options["weights"] == "free" or not np.allclose(rows, 1):
        raise ValueError(
            "Expected sources on the mixtures' scale, got some that are known up to a factor, or in units of their own: "
            'decibels would only measure that. Score with weights="sum-to-one", or by hand with nb.metrics.score.'
        )


def _slice(
    image: NDArray, planes: Planes, index: int, what: str, like: tuple[int, ...] | None = None
) -> NDArray:
    """Slice `index` of an image in the layout of the mixture, or as guides are given where its shape is another."""
    if like is None or image.shape == like:
        of: Planes | None = Planes(image, planes.axes.replace("M", ""))
    else:
        of = planes.match(image, what)
    found = planes.plane_of(of, index)
    assert found is not None  # only of no image at all
    return found


def _density(plane: NDArray, result: Result) -> NDArray:
    """Optical density of a slice, with the frames and I0 of the run."""
    options = result.provenance["task_settings"]
    if result.provenance["task"] == "multi_mixture":
        return np.stack([intensity_to_density(each, blank=options["blank"]) for each in plane])
    return expose(
        plane,
        flat=_frame(options["flat"]),
        dark=_frame(options["dark"]),
        blank=result.provenance["blank"],
    ).density


def _frame(path: str | None) -> NDArray | None:
    from napari_bitsnet.io.read import read_image

    return None if path is None else read_image(Path(path)).array


def _density_of(intensity: NDArray, blank: float) -> NDArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(blank) - np.log(intensity)
