"""What a user should know about guides, in plain words with what to do, before a run or after a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.registration.offset_words import offset_in_words
from napari_bitsnet.methods.guided.fit import Data, shift_energies
from napari_bitsnet.methods.guided.model import GuidedModel

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.problem import Problem
    from napari_bitsnet.methods.guided.trust import Trust

LEAST_ENERGY = 0.2
"""Explained energy in held-out blocks below which little can be separated: `reliability` is about one half
there."""
MOST_EXTRAPOLATED = 0.1
"""Part of the pixels with colours that the fit says little about, above which it is worth saying."""
LEAST_SCORE = 4.0
"""Score of the check below which no shift stands out."""
MOST_GIVEN = 0.05
"""Part of what a single photograph does not explain, above which it is said that it was given to that
side."""
REACH, STEP = 8, 2
"""Largest shift that is tried to score a registration, and the spacing, in pixels of the reduced image."""
CHECK_SIZE, LEAST_SIZE = 160, 64
"""Longer side of that image, and the shorter one below which nothing is said."""


def fit_notices(model: GuidedModel, trust: Trust, *, max_shift: int, registered: str) -> list[Notice]:
    """Say what a fit shows about the guides.

    Parameters
    ----------
    model : GuidedModel
        Fitted.
    trust : Trust
        How far it can be trusted.
    max_shift : int
        Largest shift that was tried, in pixels.
    registered : str
        Setting of the registration; ``"none"`` tried none.
    """
    notices = []
    one = len(model.terms) == 1
    weak = trust.explained_energy < LEAST_ENERGY
    if weak:
        notices.append(
            Notice(
                "not_separated",
                f"{'This guide explains' if one else 'The guides together explain'} {{part:.0%}} of the "
                "image's structure: little can be separated.",
                f"Register {'the guide' if one else 'the guides'} first, flip a view from the back, and "
                "compare outlines: a guide helps only where it shows the same structures as its source.",
                {"part": max(0.0, trust.explained_energy)},
            )
        )
    if not weak and trust.extrapolated > MOST_EXTRAPOLATED:
        notices.append(
            Notice(
                "guides",
                "{part:.0%} of the pixels have colours whose density the fit could hardly learn: nothing "
                "beside them tells it.",
                "See the uncertainty map; fewer colours (n_clusters) or a larger crop help.",
                {"part": trust.extrapolated},
            )
        )
    for term in model.terms:
        down, right = term.displacement[:, 0].round().int().tolist()
        if registered != "none" and max_shift and max(abs(down), abs(right)) >= max_shift:
            words, distances = offset_in_words((down, right))
            notices.append(
                Notice(
                    "registration",
                    f"Guide {term.source + 1} lies {words}. That is the largest shift that was tried: it may "
                    "lie further off.",
                    f"Register it first, or set max_shift above {max_shift}.",
                    distances,
                )
            )
    return notices


def registration_scores(problem: Problem, *, seed: int = 0) -> dict[int, tuple[float, tuple[int, int]]]:
    """How far one place of each guide stands out among others nearby.

    Parameters
    ----------
    problem : Problem
        With guides, at any size; it is looked at with at most `CHECK_SIZE` pixels a side.
    seed : int
        Of the colour clusters.

    Returns
    -------
    dict
        For each source with a guide the score, explained gradient energy at the best shift over the median of
        all shifts, and that shift (dy, dx) in pixels of `problem`; empty for images too small to tell.

    Notes
    -----
    On simulated panels guides in their place score 15 and more, mirrored ones and those of other panels 1.8
    to 2.7.
    """
    from torch.nn import functional as F

    from napari_bitsnet.core.colours import ColourBasis, fit_centres
    from napari_bitsnet.core.displacement import Window
    from napari_bitsnet.methods.guided.model import GuideTerm

    height, width = problem.observations.shape[-2:]
    factor = min(1.0, CHECK_SIZE / max(height, width))
    size = (max(2, round(height * factor)), max(2, round(width * factor)))
    small = problem if factor == 1 else problem.map_images(lambda t: F.interpolate(t, size, mode="area"))
    if min(size) < LEAST_SIZE:
        return {}
    data = Data(small.observations, small.valid, [Window(0, 0, *size)])
    spaced = range(-REACH, REACH + 1, STEP)
    scores = {}
    for source, guide in enumerate(small.guides):
        if guide is None:
            continue
        basis = ColourBasis(fit_centres(guide, 16, seed=seed), 0.1)
        nothing = guide.new_zeros((0, 0))
        term = GuideTerm(guide, source, basis, basis, nothing, nothing)
        energies = shift_energies(term, data, [(dy, dx) for dy in spaced for dx in spaced])
        best = max(energies, key=lambda shift: energies[shift])
        middle = sorted(energies.values())[len(energies) // 2]
        place = (round(best[0] / factor), round(best[1] / factor))
        scores[source] = (energies[best] / max(middle, 1e-12), place)
    return scores


def spacing(problem: Problem) -> float:
    """Distance, in pixels of a problem, of the places at which `registration_scores` tries its guides."""
    return STEP * max(1.0, max(problem.observations.shape[-2:]) / CHECK_SIZE)


def registration_notices(
    problem: Problem,
    *,
    seed: int = 0,
    scores: Mapping[int, tuple[float, tuple[int, int]]] | None = None,
) -> list[Notice]:
    """Say which guides do not seem to lie on the mixture; `scores` are those of `registration_scores`, if
    known."""
    notices = []
    scores = registration_scores(problem, seed=seed) if scores is None else scores
    reach = round(REACH / STEP * spacing(problem))
    for source, (score, (dy, dx)) in scores.items():
        if score < LEAST_SCORE:
            notices.append(
                Notice(
                    "registration",
                    f"Guide {source + 1} fits no place within {reach} px much better than the others (score "
                    f"of the check {{score:.1f}}, {LEAST_SCORE:g} is needed).",
                    "Register it first, and see whether it must be mirrored.",
                    {"score": score},
                )
            )
        elif max(abs(dy), abs(dx)) > 1.5 * spacing(problem):
            words, distances = offset_in_words((dy, dx))
            notices.append(
                Notice(
                    "registration",
                    f"Guide {source + 1} seems to lie about {words} (score of the check {{score:.1f}}).",
                    "Register it first: the fit itself only follows a few pixels.",
                    {**distances, "score": score},
                )
            )
    return notices


def size_notices(problem: Problem, limit: int, *, cracks: bool, corrected: bool) -> list[Notice]:
    """Say what is left out of an image of more than `limit` pixels, although the settings ask for it.

    Parameters
    ----------
    problem : Problem
        At full size.
    limit : int
        Pixels.
    cracks, corrected : bool
        The settings.
    """
    pixels = problem.observations[0, 0].numel()
    colours = any(guide is not None and guide.shape[1] == 3 for guide in problem.guides)
    left_out = []
    if cracks:
        left_out.append("photographs are not searched for cracks (cracks=True)")
    if corrected and problem.n_sources == 2:
        left_out.append("the separation is not corrected by the network (correct=True)")
    if pixels <= limit or not colours or not left_out:
        return []
    return [
        Notice(
            "memory",
            f"The image has {pixels / 2**20:.1f} megapixels. Above {limit / 2**20:.0f}, for the sake of "
            f"memory, {' and '.join(left_out)}.",
            "Take parts of the image, or reduce it, to have that.",
        )
    ]


def given_notices(
    source: int, given: Tensor, left: Tensor, energy: float, *, corrected: bool
) -> list[Notice]:
    """Say that a part of what a single photograph does not explain was given to its side, where a hidden
    design would be missed.

    Parameters
    ----------
    source : int
        The source with the guide.
    given : Tensor of shape (C, H, W)
        What this source holds beside the part that the guide explains.
    left : Tensor of shape (C, H, W)
        What the guide does not explain.
    energy : float
        Part of the gradients' energy that the guide explains in held-out blocks; below `LEAST_ENERGY` nothing
        is said: that little can be separated says more.
    corrected : bool
        Whether the trained network had a part in it.

    Notes
    -----
    The part is the slope of a regression of the gradients of `given` on those of `left`.
    """
    import torch

    over = sum(
        torch.stack([given.diff(dim=axis).mul(left.diff(dim=axis)).sum(), left.diff(dim=axis).square().sum()])
        for axis in (1, 2)
    )
    assert isinstance(over, torch.Tensor)
    part = float(over[0] / over[1].clamp_min(1e-30))
    if part < MOST_GIVEN or energy < LEAST_ENERGY:
        return []
    why = "as its share and by a trained network" if corrected else "as its share"
    return [
        Notice(
            "guides",
            f"About {{part:.0%}} of the detail that the photograph does not explain was given to source "
            f"{source + 1}, {why}. A hidden design stands there in part, too:",
            'see the output "unexplained", which holds all of it.',
            {"part": part},
        )
    ]
