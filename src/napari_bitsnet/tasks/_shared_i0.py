"""One intensity without an object (I0) for all slices of a stack, which are frames of one exposure series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_bitsnet.core.exposure import expose
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.tasks import Slices
from napari_bitsnet.tasks._shares import SharesConfig, expose_mixture

UNEQUAL = 0.05
"""Relative difference between the estimates of slices above which a notice says so."""


def shared_i0(planes: Slices, config: SharesConfig) -> tuple[float | None, list[Notice]]:
    """Estimate one I0 for all slices, where attenuation has to estimate it.

    Parameters
    ----------
    planes : sequence of array (Y, X[, C])
        The slices. Every one is read, unless there is nothing to estimate.
    config : SharesConfig
        Settings of the task.

    Returns
    -------
    float or None
        The largest of the slices' estimates: no slice can be brighter than the beam, and the one that shows
        most of it knows it best. None where the task does not attenuate, knows I0 by `i0` or a flat frame, or
        no slice can be worked on.
    list of Notice
        A notice where the estimates differ.
    """
    if config.mixing != "attenuation" or config.i0 is not None or config.flat is not None:
        return None, []
    blanks: dict[int, float] = {}
    for index in range(len(planes)):
        try:
            blanks[index] = expose_mixture(planes[index], config).i0
        except (TypeError, ValueError):  # the run leaves such a slice out, and says why
            continue
    if not blanks:
        return None, []
    best = max(blanks, key=lambda index: blanks[index])
    if not _differ(list(blanks.values())):
        return blanks[best], []
    notice = Notice(
        "range",
        f"All slices share one intensity without an object, {blanks[best]:.6g}, estimated from slice {best}, "
        f"the brightest; the darkest alone would give {min(blanks.values()):.6g}.",
        "If no slice shows the bare beam, set i0; slices of different exposures need a run each.",
    )
    return blanks[best], [notice]


def i0_of_mixtures(planes: Slices) -> list[Notice]:
    """Return a notice where several mixtures' own estimates of I0 differ from slice to slice."""
    rows = []
    for index in range(len(planes)):
        try:
            rows.append([expose(mixture).i0 for mixture in planes[index]])
        except ValueError:
            continue
    if not any(_differ(column) for column in np.transpose(rows).tolist()):
        return []
    return [
        Notice(
            "range",
            "Each slice has its own intensity without an object, and they differ: densities of different "
            "slices cannot be compared.",
            "Set i0 to the intensity of the bare beam.",
        )
    ]


def _differ(blanks: Sequence[float]) -> bool:
    return min(blanks) < (1 - UNEQUAL) * max(blanks)
