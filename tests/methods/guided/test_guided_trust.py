"""Intervals that hold the truth as often as they say, and notices that tell good guides from bad ones."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_bitsnet.core.displacement import Modes, Window
from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.data.panel import Panel, simulate_panel
from napari_bitsnet.methods.guided.checks import (
    fit_notices,
    registration_notices,
    registration_scores,
    size_notices,
)
from napari_bitsnet.methods.guided.fit import Data
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression, GuidedRegressionState
from napari_bitsnet.methods.guided.model import GuidedModel
from napari_bitsnet.methods.guided.trust import Trust


@pytest.fixture(scope="module")
def panels() -> list[Panel]:
    return [simulate_panel(seed, 96) for seed in (40, 41)]


def problem_of(panel: Panel, guides: list) -> Problem:
    mixture = normalise(panel.mixture)
    tensors = tuple(None if g is None else normalise(g).tensor for g in guides)
    return Problem(mixture.tensor, 2, guides=tensors, scaling=mixture.scaling)


def solve(problem: Problem) -> GuidedRegressionState:
    method = GuidedRegression(GuidedRegression.presets["quick"])
    state = method.start(problem, device="cpu", seed=0)
    losses = next(method.advance(state))
    assert state.trust is not None
    assert float(losses["explained_energy"]) == pytest.approx(state.trust.explained_energy)
    return state


@pytest.mark.parametrize("n_guides", [1, 2])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(panels: list[Panel], n_guides: int):
    held = []
    for panel in panels:
        problem = problem_of(panel, [g if k < n_guides else None for k, g in enumerate(panel.guides)])
        state = solve(problem)
        half = state.result["uncertainty"][0, 0]
        assert half.min() > 0
        truth = torch.from_numpy(panel.truths[0]) / problem.scaling.span
        error = state.result["sources"][0, 0] - truth
        held.append(float(((error - error.mean()).abs() <= half).double().mean()))
    assert 0.8 < np.mean(held) < 0.96, held


@pytest.fixture(scope="module")
def right(panels: list[Panel]) -> GuidedRegressionState:
    return solve(problem_of(panels[0], panels[0].guides))


def test_large_images_are_judged_at_reduced_size(
    panels: list[Panel], right: GuidedRegressionState, monkeypatch: pytest.MonkeyPatch
):
    problem = problem_of(panels[0], panels[0].guides)
    whole = right.result["uncertainty"]
    monkeypatch.setattr("napari_bitsnet.methods.guided.interval.MAP_PIXELS", 48 * 48)
    small = solve(problem).result["uncertainty"]
    assert small.shape == whole.shape
    assert abs(float((small / whole).log().mean())) < 0.15


def test_good_guides_are_let_pass_and_bad_ones_named(panels: list[Panel], right: GuidedRegressionState):
    front, back = panels[0].guides
    assert right.trust.explained_energy > 0.4
    assert right.notices == []
    wrong = solve(problem_of(panels[0], panels[1].guides))
    assert wrong.trust.explained_energy < 0.1
    assert any(
        "The guides together explain" in str(n) and "little can be separated" in str(n) for n in wrong.notices
    )
    mirrored = problem_of(panels[0], [front, back[:, ::-1]])
    (text,) = registration_notices(mirrored)
    assert str(text).startswith("Guide 2 fits no place within 8 px much better than the others")


def test_a_guide_that_lies_elsewhere_is_told_by_how_much(panels: list[Panel]):
    front, back = panels[0].guides
    moved = problem_of(panels[0], [np.roll(front, (6, -4), (0, 1)), back])
    score, (dy, dx) = registration_scores(moved)[0]
    assert score > 4
    assert abs(dy - 6) <= 3
    assert abs(dx + 4) <= 3
    assert any(str(text).startswith("Guide 1 seems to lie about") for text in registration_notices(moved))


def test_small_images_are_not_scored():
    panel = simulate_panel(0, 48)
    assert registration_scores(problem_of(panel, panel.guides)) == {}


def test_colours_that_could_not_be_learnt_are_named():
    trust = Trust(0.8, 0.25)
    model = GuidedModel(Modes((2, 2), 1), Modes((2, 2), 1))
    (text,) = fit_notices(model, trust, max_shift=3, registered="smooth")
    assert str(text).startswith("25% of the pixels have colours whose density the fit could hardly learn")


def test_a_shift_at_the_border_of_the_search_is_told(right: GuidedRegressionState):
    model, trust = deepcopy(right.model), Trust(0.8, 0.0)
    model.terms[1].displacement[:, 0] = torch.tensor([1.0, -2.9])
    assert fit_notices(model, trust, max_shift=3, registered="none") == []
    (text,) = fit_notices(model, trust, max_shift=3, registered="shift")
    assert str(text).startswith(
        "Guide 2 lies 1 px too low and 3 px too far to the left. That is the largest shift that was tried"
    )


def test_a_colour_seen_only_where_the_mixture_is_missing_is_extrapolated(panels: list[Panel]):
    panel = simulate_panel(7, 48)
    front = panel.guides[0].copy()
    front[10:30, 15:35] = (255, 0, 255)
    problem = problem_of(panel, [front, panel.guides[1]])
    valid = torch.ones(1, 1, 48, 48, dtype=torch.bool)
    seen = solve(problem).trust.extrapolated
    valid[..., 8:32, 13:37] = False
    assert solve(replace(problem, valid=valid)).trust.extrapolated > seen + 0.05


def test_blocks_cover_what_was_fitted_to():
    data = Data(torch.zeros(1, 1, 100, 70), None, [Window(0, 0, 100, 70)])
    seen = np.zeros((100, 70), int)
    for w in data.blocks:
        seen[w.top : w.top + w.height, w.left : w.left + w.width] += 1
    assert (seen == 1).all()
    squares = [Window(0, 128 * i, 128, 128) for i in range(60)]
    assert Data(torch.zeros(1, 1, 128, 7680), None, squares).blocks == squares


def test_what_a_large_image_goes_without_is_said(panels: list[Panel], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_bitsnet.methods.guided.guided_regression.MOST_PIXELS", 96 * 96 - 1)
    config = GuidedRegression.presets["quick"].updated(
        {"cracks": True, "correct": True, "uncertainty": False}
    )
    problem = problem_of(panels[0], panels[0].guides)

    def said(problem: Problem, **settings: bool) -> list[str]:
        method = GuidedRegression(config.updated(settings))
        state = method.start(problem, device="cpu", seed=0)
        next(method.advance(state))
        return [str(notice) for notice in state.notices]

    (text,) = said(problem)
    assert "cracks=True" in text
    assert "correct=True" in text
    assert "cracks" not in said(problem, cracks=False)[0]
    assert said(problem, cracks=False, correct=False) == []
    monkeypatch.setattr("napari_bitsnet.methods.guided.guided_regression.MOST_PIXELS", 96 * 96)
    assert said(problem) == []


def test_what_was_not_to_be_had_anyway_is_not_missed(panels: list[Panel]):
    grey = [guide[..., 0] for guide in panels[0].guides]
    asked = {"cracks": True, "corrected": True}
    assert size_notices(problem_of(panels[0], grey), 2**10, **asked) == []


def test_a_single_weak_guide_is_told_once_and_first(panels: list[Panel]):
    found = []
    for panel, guide in ((panels[0], panels[1].guides[0]), (panels[0], panels[0].guides[0])):
        state = solve(problem_of(panel, [guide, None]))
        found.append([(notice.category, str(notice)) for notice in state.notices])
    weak, good = found
    category, text = weak[0]
    assert category == "not_separated"
    assert text.startswith("This guide explains ")
    assert "little can be separated" in text
    assert not any("was given to source" in said or "colours whose density" in said for _, said in weak)
    assert not any(category == "not_separated" for category, _ in good)
