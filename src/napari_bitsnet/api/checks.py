"""Looking at the inputs before a run: what is wrong with them, in words, within seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_bitsnet.api.notices import collected
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.api.run import make_task
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.tasks import Inputs

CHECK_SIZE = 256
"""Longer side, in pixels, at which guides are fitted for the check."""


def check(
    task: str,
    mixture: Any,
    *,
    guides: Sequence[Any] = (),
    hints: Any = None,
    mask: Any = None,
    axes: str | None = None,
    seed: int = 0,
    **options: Any,
) -> list[str]:
    """Look at the inputs of a run and say what to mend first.

    Parameters
    ----------
    task : str
        As in `run`.
    mixture, guides, hints, mask, axes
        As in `run`; of a stack the middle slice is looked at.
    seed : int
        As in `run`.
    **options
        The task's settings.

    Returns
    -------
    list of str
        One sentence or two for each finding, with what to do; empty if there is nothing to say. With guides: whether each
        has a place on the mixture where it fits better than elsewhere, whether what a quick fit at reduced
        size learns holds in blocks that it has not seen, and whether there are colours it could not learn.

    Raises
    ------
    TypeError, ValueError
        If an input cannot be worked on at all; see `run`.
    """
    made = make_task(RunSettings().updated({"task": task, "options": options}))
    planes = Planes(mixture, axes, several=any(i.many and i.name == "mixture" for i in made.inputs))
    index = len(planes) // 2
    matched = [planes.match(g, f"guide {k + 1}") for k, g in enumerate(guides)]
    inputs = Inputs(
        planes[index],
        tuple(planes.plane_of(g, index) for g in matched),
        planes.plane_of(planes.match(hints, "hints"), index),
        planes.plane_of(planes.match(mask, "the mask"), index),
    )
    findings: list[str] = []
    with collected(findings):
        problem = made.build(inputs)
    if problem.traits.n_guides and problem.mixing.name == "linear":
        findings += guide_findings(problem, seed)
    return findings


def guide_findings(problem: Problem, seed: int) -> list[str]:
    """Fit guides at reduced size and say what comes of it."""
    from torch.nn import functional as F

    from napari_bitsnet.methods.regression import Regression, RegressionConfig

    height, width = problem.observations.shape[-2:]
    factor = CHECK_SIZE / max(height, width)
    if factor < 1:
        size = (max(2, round(height * factor)), max(2, round(width * factor)))
        problem = problem.map_images(lambda images: F.interpolate(images, size, mode="area"))
    method = Regression(RegressionConfig().updated(Regression.presets["quick"].model_dump()))
    state = method.start(problem, device="cpu", seed=seed)
    next(method.advance(state))
    return state.notices
