"""The network that corrects guided fits: it gains on panels never trained on, keeps sums, and steps back
where it knows nothing."""

from dataclasses import replace

import pytest
import torch

from napari_bitsnet.core.images import normalise, restore
from napari_bitsnet.core.metrics import score
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.data.panel import Panel, simulate_panel
from napari_bitsnet.methods.guided import correction as _guided_correction
from napari_bitsnet.methods.guided.correction import correct, correction_network
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression
from napari_bitsnet.methods.guided.model import GuidedModel
from napari_bitsnet.methods.guided.shares import explained_shares


def panel_problem(panel: Panel, n_guides: int = 2) -> Problem:
    mixture = normalise(panel.mixture)
    guides = tuple(normalise(g).tensor if k < n_guides else None for k, g in enumerate(panel.guides))
    return Problem(mixture.tensor, 2, guides=guides, scaling=mixture.scaling)


def fitted(panel: Panel, n_guides: int = 2, registration: str = "none") -> tuple[Problem, GuidedModel]:
    problem = panel_problem(panel, n_guides)
    method = GuidedRegression(
        GuidedRegression.presets["balanced"].updated(
            {"uncertainty": False, "correct": False, "registration": registration}
        )
    )
    state = method.start(problem, device="cpu", seed=0)
    next(method.advance(state))
    assert state.model is not None
    return problem, state.model


@pytest.fixture(scope="module")
def panel() -> Panel:
    return simulate_panel(21, 80, misregistration=0)


@pytest.fixture(scope="module")
def two_guides(panel: Panel) -> tuple[Problem, GuidedModel]:
    return fitted(panel)


@pytest.mark.parametrize(("n_guides", "least"), [(1, 0.3), (2, 0.0)])
def test_it_gains_on_a_panel_that_it_never_saw(n_guides: int, least: float):
    """A panel on which it gains 1.3 and 0.2 dB, about what it does on average at larger sizes."""
    panel = simulate_panel(404, 128)
    problem, model = fitted(panel, n_guides, registration="smooth")
    gains = []
    for correction in (None, correct(problem, model)):
        sources = explained_shares(problem, model, correction)["sources"]
        found = score(restore(sources, problem.scaling, share_of=2), panel.truths, panel.mixture)
        gains.append(found["mean_gain_offset_free"])
    assert gains[1] > gains[0] + least


def test_sums_are_kept(two_guides: tuple[Problem, GuidedModel]):
    problem, model = two_guides
    correction = correct(problem, model)
    assert correction is not None
    assert correction.sources.abs().max() > 1e-3
    torch.testing.assert_close(correction.sources.sum(dim=0), torch.zeros_like(correction.sources[0]))
    found = explained_shares(problem, model, correction)
    torch.testing.assert_close(found["sources"].sum(dim=0, keepdim=True), problem.observations)
    whole = found["explained"].sum(dim=0, keepdim=True) + found["unexplained"] - problem.observations
    assert float(whole.amax() - whole.amin()) < 1e-5  # constants are not gradients' business


def test_the_order_of_guides_does_not_matter(two_guides: tuple[Problem, GuidedModel]):
    problem, model = two_guides
    turned = GuidedModel(model.modes, model.drift, [replace(t, source=1 - t.source) for t in model.terms])
    one, other = correct(problem, model), correct(problem, turned)
    assert one is not None
    assert other is not None
    torch.testing.assert_close(one.sources, other.sources.flip(0))
    torch.testing.assert_close(one.explained, other.explained.flip(0))


def test_contrast_does_not_matter(two_guides: tuple[Problem, GuidedModel]):
    problem, model = two_guides
    faint = GuidedModel(model.modes, model.drift, [replace(t, weights=t.weights / 4) for t in model.terms])
    one = correct(problem, model)
    other = correct(replace(problem, observations=problem.observations / 4 + 0.3), faint)
    assert one is not None
    assert other is not None
    torch.testing.assert_close(one.sources / 4, other.sources, atol=1e-5, rtol=1e-3)


def test_large_images_are_looked_at_in_tiles(
    two_guides: tuple[Problem, GuidedModel], monkeypatch: pytest.MonkeyPatch
):
    problem, model = two_guides
    whole = correct(problem, model)
    monkeypatch.setattr(_guided_correction, "TILE", 64)
    monkeypatch.setattr(_guided_correction, "MARGIN", 16)
    tiled = correct(problem, model)
    assert whole is not None
    assert tiled is not None
    assert tiled.sources.shape == whole.sources.shape
    assert (tiled.sources - whole.sources).square().mean() < 0.2 * whole.sources.square().mean()


def test_it_steps_back_where_it_was_not_trained(
    two_guides: tuple[Problem, GuidedModel], monkeypatch: pytest.MonkeyPatch, tmp_path
):
    problem, model = two_guides
    grey = GuidedModel(model.modes, model.drift, [replace(t, image=t.image[:, :1]) for t in model.terms])
    assert correct(problem, grey) is None
    assert correct(replace(problem, n_sources=3, guides=(*problem.guides, None)), model) is None
    monkeypatch.setattr(_guided_correction, "correction_weights", lambda: tmp_path / "none.safetensors")
    correction_network.cache_clear()
    try:
        assert correct(problem, model) is None
    finally:
        correction_network.cache_clear()


@pytest.mark.parametrize("corrected", [True, False])
def test_what_goes_to_a_single_photograph_is_said(corrected: bool):
    """A hidden design is looked for in the other source; the part of it that goes to the visible side is said
    in words."""
    problem = panel_problem(simulate_panel(3, 96), 1)
    settings = {
        "uncertainty": False,
        "context": False,
        "correct": corrected,
    }
    method = GuidedRegression(GuidedRegression.presets["balanced"].updated(settings))
    state = method.start(problem, device="cpu", seed=0)
    next(method.advance(state))
    answer = method.solution(state)
    (said,) = map(str, state.notices)
    assert ("by a trained network" in said) == corrected
    (part,) = [int(word.strip("%")) for word in said.split() if word.endswith("%")]
    given, left = (answer["sources"] - answer["explained"])[0, 0], answer["unexplained"][0, 0]
    slopes = [(given.diff(dim=d) * left.diff(dim=d)).sum() / left.diff(dim=d).square().sum() for d in (0, 1)]
    assert min(slopes) - 0.005 <= part / 100 <= max(slopes) + 0.005
