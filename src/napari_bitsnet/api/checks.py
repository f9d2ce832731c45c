"""Check the inputs before a run, within seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_bitsnet.api.choose import make_task
from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.signatures import spelled_out
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.registration.offset_words import offset_in_words

CHECK_SIZE = 256
"""Longer side in pixels at which the check fits guides."""


@dataclass(frozen=True)
class GuidePlace:
    """Shift of a guide at which it fits best.

    Parameters
    ----------
    guide : int
        Number of the guide, from 1.
    score : float
        Explained gradient energy at this shift over the median of nearby shifts; at least `enough` in the
        right place.
    shift : (int, int)
        (dy, dx): distance of the guide from that place, down and right, in pixels of the mixture.
    spacing : int
        Grid spacing of the shift search in pixels of the mixture, which is about the accuracy of the shift.
    enough : float
        Score above which one place is clearly the best.
    """

    guide: int
    score: float
    shift: tuple[int, int]
    spacing: int
    enough: float

    def __str__(self) -> str:
        if self.score < self.enough:
            return (
                f"Guide {self.guide} fits no place much better than the others (score of the check "
                f"{self.score:.1f}, {self.enough:g} is needed)."
            )
        words, distances = offset_in_words(self.shift)
        return (
            f"Guide {self.guide} lies {words.format(**distances)}, to within {self.spacing} px (score of the "
            f"check {self.score:.1f}, {self.enough:g} is needed)."
        )


class Findings(list[str]):
    """Findings about the inputs, one text each, and `places` with the best place of each guide.

    Parameters
    ----------
    texts : iterable of str
        Findings.
    places : iterable of GuidePlace
        One for each guide; none if the images are too small.
    """

    def __init__(self, texts: Iterable[str] = (), places: Iterable[GuidePlace] = ()) -> None:
        super().__init__(texts)
        self.places = tuple(places)

    def __str__(self) -> str:
        return "\n".join([*(self or ["No problems found."]), *map(str, self.places)])


@spelled_out
def check(
    task: str,
    mixture: Any,
    *,
    guides: Sequence[Any] = (),
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    progress: Callable[[str], object] | None = None,
    **arguments: Any,
) -> Findings:
    """Validate the inputs of a run and describe the necessary corrections.

    Parameters
    ----------
    task : str
        As in `run`.
    mixture, guides, hints, mask, stored
        As in `run`; the middle slice of a stack is checked.
    progress : callable, optional
        Called with a few words before each step of the check; an error that it raises ends the check.
    **arguments
        As in `run`, with the settings of the task. The settings of the method have no influence.

    Returns
    -------
    Findings
        List of one or two sentences for each finding, with a remedy; empty without findings. With guides, the
        check tests whether each guide has a place on the mixture where it fits better than elsewhere, whether
        a quick fit at reduced size generalises to held-out blocks, and whether there are colours that it
        could not learn. `places` always has the score and the shift of each guide.

    Raises
    ------
    TypeError, ValueError
        If an input is not valid; see `run`.
    """
    tell = progress or (lambda step: None)
    tell("Reading the inputs")
    settings = RunSettings.of(task, **arguments)
    made = make_task(settings)
    images = RunInputs(
        made, mixture, guides=guides, hints=hints, mask=mask, axes=settings.axes, stored=stored
    )
    plane = images[len(images) // 2]
    built = made.build(plane)
    problem, notices = built.problem, [*map(str, built.notices), *map(str, made.advice(plane))]
    if not (problem.traits.n_guides and problem.mixing.name == "linear"):
        return Findings(notices)
    found = guide_findings(problem, settings.seed, tell)
    return Findings([*notices, *found], found.places)


def guide_findings(
    problem: Problem, seed: int, tell: Callable[[str], object] = lambda step: None
) -> Findings:
    """Fit guides at reduced size and return the findings, in pixels of the problem.

    `tell` is called with each step.
    """
    from torch.nn import functional as F

    from napari_bitsnet.methods.guided.checks import (
        LEAST_SCORE,
        fit_notices,
        registration_notices,
        registration_scores,
        spacing,
    )
    from napari_bitsnet.methods.guided.guided_regression import GuidedRegression, GuidedRegressionConfig

    tell("Looking for the place of each guide")
    scores = registration_scores(problem, seed=seed)
    places = [
        GuidePlace(source + 1, score, shift, round(spacing(problem)), LEAST_SCORE)
        for source, (score, shift) in scores.items()
    ]
    notices = registration_notices(problem, scores=scores)
    height, width = problem.observations.shape[-2:]
    factor = CHECK_SIZE / max(height, width)
    if factor < 1:
        size = (max(2, round(height * factor)), max(2, round(width * factor)))
        problem = problem.map_images(lambda images: F.interpolate(images, size, mode="area"))
    tell("Fitting the guides at reduced size")
    method = GuidedRegression(
        GuidedRegressionConfig().updated(GuidedRegression.presets["quick"].model_dump())
    )
    state = method.start(problem, device="cpu", seed=seed)
    next(method.advance(state))
    tell("Testing the fit on held-out blocks")
    if state.model is not None and state.trust is not None:
        # its own notices are in pixels of the reduced image
        zoom = 1 / min(1.0, factor)
        terms = [replace(term, displacement=term.displacement * zoom) for term in state.model.terms]
        notices = [
            *fit_notices(
                replace(state.model, terms=terms),
                state.trust,
                max_shift=round(method.config.max_shift * zoom),
                registered=method.config.registration,
            ),
            *notices,
        ]
    return Findings(map(str, notices), places)
