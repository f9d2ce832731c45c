"""One intensity without an object (I0) for all slices of a stack, which are frames of one exposure series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_bitsnet.api.planes import Planes
from napari_bitsnet.core.exposure import expose
from napari_bitsnet.tasks import Task
from napari_bitsnet.tasks._shares import SharesConfig, expose_mixture

UNEQUAL = 0.05
"""Part by which the estimates of slices may differ before it is said."""


def with_shared_blank(task: Task, planes: Planes) -> tuple[Task, list[str]]:
    """Return the task with one I0 for all slices, where attenuation has to estimate it, and what to know of that.

    Parameters
    ----------
    task : Task
        Any; one that does not attenuate, or knows I0 by a blank or a flat frame, is returned as it is.
    planes : Planes
        The stack. Every slice is read.

    Returns
    -------
    Task
        With the largest of the slices' estimates as ``blank``: no slice can be brighter than the beam, and the one that
        shows most of it knows it best. Several mixtures keep their own, since each has its exposure.
    list of str
        A notice where the estimates differ.
    """
    config = task.config
    if len(planes) == 1 or getattr(config, "mixing", "") != "attenuation":
        return task, []
    if getattr(config, "blank", None) is not None or getattr(config, "flat", None) is not None:
        return task, []
    if not isinstance(config, SharesConfig):
        return task, _of_mixtures(planes)
    blanks: dict[int, float] = {}
    for index in range(len(planes)):
        try:
            blanks[index] = expose_mixture(planes[index], config).blank
        except (TypeError, ValueError):  # the run leaves such a slice out, and says why
            continue
    if not blanks:
        return task, []
    best = max(blanks, key=lambda index: blanks[index])
    notices = []
    if _differ(list(blanks.values())):
        notices.append(
            f"All slices share one intensity without an object, {blanks[best]:.6g}, estimated from slice {best}, the brightest; the "
            f"darkest alone would give {min(blanks.values()):.6g}. If no slice shows the bare beam, set blank; slices of "
            "different exposures need a run each."
        )
    return with_blank(task, blanks[best]), notices


def with_blank(task: Task, blank: float | None) -> Task:
    """Return a task of attenuation with this I0; any other task, and for None, as it is."""
    config = task.config
    if not isinstance(config, SharesConfig) or config.mixing != "attenuation":
        return task
    if blank is None or config.flat is not None:
        return task
    # not by `updated`: an estimate may lie outside the bounds that hold for what people set
    return type(task)(config.model_copy(update={"blank": blank}))


def _of_mixtures(planes: Planes) -> list[str]:
    """Say where several mixtures' own estimates differ from slice to slice."""
    rows = []
    for index in range(len(planes)):
        try:
            rows.append([expose(mixture).blank for mixture in planes[index]])
        except ValueError:
            continue
    if not any(_differ(column) for column in np.transpose(rows).tolist()):
        return []
    return [
        "Each slice has its own intensity without an object, and they differ: densities of different slices cannot be compared. "
        "Set blank to the intensity of the bare beam."
    ]


def _differ(blanks: Sequence[float]) -> bool:
    return min(blanks) < (1 - UNEQUAL) * max(blanks)
