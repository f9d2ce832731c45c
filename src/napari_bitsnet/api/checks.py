"""Looking at the inputs before a run: what is wrong with them, in words, within seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_bitsnet.api.choose import make_task
from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.signatures import spelled_out
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.registration.offset_words import offset_in_words

CHECK_SIZE = 256
"""Longer side, in pixels, at which guides are fitted for the check."""


@dataclass(frozen=True)
class GuidePlace:
    """Where a guide fits best.

    Parameters
    ----------
    guide : int
        From 1.
    score : float
        Gradient energy that it explains there over the median of all places nearby; `enough` and more in its place.
    shift : (int, int)
        (dy, dx): how far down and right of that place it lies, in pixels of the mixture.
    spacing : int
        Of the places that were tried, in these pixels: the shift is known to about so much.
    enough : float
        Score from which one place stands out.
    """

    guide: int
    score: float
    shift: tuple[int, int]
    spacing: int
    enough: float

    def __str__(self) -> str:
        if self.score < self.enough:
            return (
                f"Guide {self.guide} fits no place much better than the others (score of the check {self.score:.1f}, "
                f"{self.enough:g} is needed)."
            )
        words, distances = offset_in_words(self.shift)
        return (
            f"Guide {self.guide} lies {words.format(**distances)}, to within {self.spacing} px (score of the check "
            f"{self.score:.1f}, {self.enough:g} is needed)."
        )


class Findings(list[str]):
    """What is to be mended, one text each, and `places`: where each guide fits best, also where all is well.

    Parameters
    ----------
    texts : iterable of str
        Findings.
    places : iterable of GuidePlace
        One a guide; none for images too small to tell.
    """

    def __init__(self, texts: Iterable[str] = (), places: Iterable[GuidePlace] = ()) -> None:
        super().__init__(texts)
        self.places = tuple(places)

    def __str__(self) -> str:
        return "\n".join([*(self or ["Nothing to mend."]), *map(str, self.places)])


@spelled_out
def check(
    task: str,
    mixture: Any,
    *,
    guides: Sequence[Any] = (),
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    **arguments: Any,
) -> Findings:
    """Validate the inputs of a run and say what to correct first.

    Parameters
    ----------
    task : str
        As in `run`.
    mixture, guides, hints, mask, stored
        As in `run`; of a stack the middle slice is looked at.
    **arguments
        As in `run`, with the task's settings: ``axes``, ``mixing="attenuation"``, ``flat`` and ``dark`` decide what is looked
        at. Those of the method make no difference.

    Returns
    -------
    Findings
        A list with one sentence or two for each finding, with what to do; empty if there is nothing to say. With guides:
        whether each has a place on the mixture where it fits better than elsewhere, whether what a quick fit at reduced
        size learns holds in blocks that it has not seen, and whether there are colours it could not learn. Its `places`
        say the score and the shift of each guide in any case.

    Raises
    ------
    TypeError, ValueError
        If an input cannot be worked on at all; see `run`.
    """
    settings = RunSettings.of(task, **arguments)
    made = make_task(settings)
    images = RunInputs(
        made, mixture, guides=guides, hints=hints, mask=mask, axes=settings.axes, stored=stored
    )
    built = made.build(images[len(images) // 2])
    problem, notices = built.problem, list(map(str, built.notices))
    if not (problem.traits.n_guides and problem.mixing.name == "linear"):
        return Findings(notices)
    found = guide_findings(problem, settings.seed)
    return Findings([*notices, *found], found.places)


def guide_findings(problem: Problem, seed: int) -> Findings:
    """Fit guides at reduced size and say what comes of it, in pixels of the problem."""
    from torch.nn import functional as F

    from napari_bitsnet.methods.guided.checks import (
        LEAST_SCORE,
        fit_notices,
        registration_notices,
        registration_scores,
        spacing,
    )
    from napari_bitsnet.methods.guided.guided_regression import GuidedRegression, GuidedRegressionConfig

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
    method = GuidedRegression(
        GuidedRegressionConfig().updated(GuidedRegression.presets["quick"].model_dump())
    )
    state = method.start(problem, device="cpu", seed=seed)
    next(method.advance(state))
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
