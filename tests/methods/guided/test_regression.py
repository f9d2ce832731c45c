"""Colour regression: exact where it can be, registered, robust; the stated gains on simulated panels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from napari_bitsnet.core.displacement import Window
from napari_bitsnet.core.images import normalise, restore
from napari_bitsnet.core.metrics import score
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.data.panel import Panel, simulate_panel
from napari_bitsnet.methods.guided import model as _guided_model
from napari_bitsnet.methods.guided.guided_regression import (
    GuidedRegression,
    GuidedRegressionConfig,
    GuidedRegressionState,
)
from napari_bitsnet.methods.guided.model import sample_windows
from napari_bitsnet.methods.guided.shares import rest_shares
from tests.panels import shared_panel

LINEAR = GuidedRegressionConfig(
    registration="none",
    drift=1,
    prior_std=10,
    n_clusters=8,
    cracks=False,
    correct=False,
    context=False,
    attribution=False,
)


def blobs(seed: int, channels: int, size: tuple[int, int] = (40, 48)) -> torch.Tensor:
    """A smooth image (1, C, H, W) in [0, 1]."""
    noise = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2, count_include_pad=False)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def solve(
    problem: Problem, config: GuidedRegressionConfig, seed: int = 0
) -> tuple[dict[str, torch.Tensor], GuidedRegressionState]:
    method = GuidedRegression(config)
    state = method.start(problem, device="cpu", seed=seed)
    for losses in method.advance(state):
        assert float(losses["unexplained"]) >= 0
    return method.solution(state), state


def linear_problem(channels: int = 1, n_sources: int = 2) -> tuple[Problem, torch.Tensor]:
    """An observation that is linear in the colours of two guides, and its true shares but for constants."""
    guides = (blobs(1, 3), blobs(2, 1))
    weights = torch.tensor([[0.3, -0.1, 0.2], [0.1, 0.2, 0.0], [-0.1, 0.1, 0.3]])[:channels]
    first = torch.einsum("dc,bchw->bdhw", weights, guides[0])
    second = 0.4 * guides[1].expand(-1, channels, -1, -1)
    shares = torch.cat([first, second])
    observation = shares.sum(0, keepdim=True) + 0.1
    padded = (*guides, *[None] * (n_sources - 2))
    return Problem(observation, n_sources, guides=padded), shares


def free(images: torch.Tensor) -> torch.Tensor:
    """Without the mean of each image and channel."""
    return images - images.mean(dim=(2, 3), keepdim=True)


def panel_problem(panel: Panel, n_guides: int = 2, **changes) -> Problem:
    mixture = normalise(panel.mixture)
    guides = [normalise(g).tensor for g in panel.guides]
    problem = Problem(
        mixture.tensor, 2, guides=(guides[0], guides[1] if n_guides == 2 else None), scaling=mixture.scaling
    )
    return replace(problem, **changes)


def gain(panel: Panel, answer: dict[str, torch.Tensor], problem: Problem) -> float:
    sources = restore(answer["sources"], problem.scaling, share_of=2)
    return score(sources, panel.truths, panel.mixture)["mean_gain_offset_free"]


@pytest.fixture(scope="module")
def panels() -> list[Panel]:
    return [shared_panel(seed, 128) for seed in range(3)]


@pytest.mark.parametrize("channels", [1, 3])
def test_exact_where_the_observation_is_linear_in_the_colours(channels: int):
    problem, shares = linear_problem(channels)
    answer, _ = solve(problem, LINEAR)
    torch.testing.assert_close(free(answer["sources"]), free(shares), atol=2e-4, rtol=0)
    assert answer["unexplained"].abs().max() < 1e-3


def test_a_source_without_a_guide_takes_the_rest():
    problem, shares = linear_problem(n_sources=3)
    third = 0.3 * blobs(7, 1)
    answer, _ = solve(
        replace(problem, observations=problem.observations + third), replace_config(n_reweightings=12)
    )
    error = (free(answer["sources"])[:2] - free(shares)).std() / free(shares).std()
    assert error < 0.25
    assert np.corrcoef(answer["sources"][2].ravel(), third.ravel())[0, 1] > 0.95
    assert answer["explained"][2].unique().numel() == 1


def replace_config(**changes) -> GuidedRegressionConfig:
    return LINEAR.updated(changes)


@pytest.mark.parametrize("n_guides", [1, 2])
def test_parts_add_up(panels: list[Panel], n_guides: int):
    problem = panel_problem(panels[0], n_guides)
    answer, state = solve(problem, GuidedRegression.presets["quick"])
    whole = problem.observations
    torch.testing.assert_close(answer["sources"].sum(0, keepdim=True), whole, atol=1e-6, rtol=0)
    parts = answer["explained"].sum(0, keepdim=True) + answer["unexplained"]
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=0)
    assert abs(float(answer["unexplained"].mean())) < 1e-5
    rest = answer["sources"] - answer["explained"]
    share = rest_shares(state.trust.explained_energy, 2, range(n_guides))
    for k in range(2):
        given = free(rest[k : k + 1])[0]
        torch.testing.assert_close(given, share[k] * answer["unexplained"][0], atol=1e-5, rtol=0)


def test_the_order_of_guides_is_that_of_sources_and_nothing_else(panels: list[Panel]):
    problem = panel_problem(panels[0])
    answer, _ = solve(problem, GuidedRegression.presets["quick"])
    swapped, _ = solve(replace(problem, guides=problem.guides[::-1]), GuidedRegression.presets["quick"])
    torch.testing.assert_close(swapped["sources"].flip(0), answer["sources"], atol=2e-3, rtol=0)


@pytest.mark.parametrize(("kind", "before", "after"), [("rigid", 1.7, 0.3), ("smooth", 1.5, 0.45)])
def test_registration_recovers_known_displacements(kind: str, before: float, after: float):
    panel = simulate_panel(1, 160, misregistration=before, kind=kind)
    _, state = solve(panel_problem(panel), GuidedRegressionConfig(drift=1))
    assert state.model is not None
    whole = Window(0, 0, 160, 160)
    for term in state.model.terms:
        found = state.model.modes.combine(term.displacement, whole)
        undone = [
            displace_linearly(torch.from_numpy(d).float(), found) for d in panel.displacements[term.source]
        ]
        error = (torch.stack(undone) + found).square().sum(0).mean().sqrt()
        assert error < after


@pytest.mark.parametrize("n_guides", [1, 2])
def test_photographs_that_lie_right_are_not_moved(n_guides: int):
    for seed in (
        1000,
        1003,
    ):  # a refinement that follows noise lowers the misfit by less than a thousandth here
        problem = panel_problem(simulate_panel(seed, 128, misregistration=0), n_guides)
        _, state = solve(problem, GuidedRegression.presets["quick"].updated({"uncertainty": False}))
        assert state.model is not None
        assert not any(term.displacement.any() for term in state.model.terms)


def displace_linearly(image: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
    """``image(p + displacement(p))``."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    moved = map_coordinates(
        image.numpy(), [y + displacement[0].numpy(), x + displacement[1].numpy()], order=1, mode="nearest"
    )
    return torch.from_numpy(moved)


def test_shifts_alone_and_none_at_all(panels: list[Panel]):
    gains = {}
    for registration in ("none", "shift", "smooth"):
        config = GuidedRegression.presets["quick"].updated({"registration": registration})
        results = [solve(panel_problem(p), config) for p in panels[:2]]
        gains[registration] = np.mean(
            [gain(p, a, s.problem) for p, (a, s) in zip(panels[:2], results, strict=True)]
        )
    assert gains["none"] + 0.5 < gains["shift"]
    assert gains["shift"] + 0.5 < gains["smooth"]


def test_missing_pixels_do_not_matter(panels: list[Panel]):
    valid = torch.ones(1, 1, 128, 128, dtype=torch.bool)
    valid[..., 40:70, 20:60] = False
    clean = panel_problem(panels[0], valid=valid)
    observation = torch.where(valid, clean.observations, torch.ones(()))
    spoilt = replace(clean, observations=observation)
    first, second = (solve(p, GuidedRegression.presets["quick"])[0]["sources"] for p in (clean, spoilt))
    seen = valid.expand(2, -1, -1, -1)
    torch.testing.assert_close(first[seen], second[seen], atol=1e-5, rtol=0)


def test_what_a_photograph_does_not_cover_is_not_fitted_to(panels: list[Panel]):
    clean = panel_problem(panels[0])
    covered = torch.ones(1, 1, 128, 128, dtype=torch.bool)
    covered[..., 90:] = False
    edge = tuple(torch.where(covered, g, g[..., 89:90]) for g in clean.guides if g is not None)
    spoilt = replace(clean, guides=edge)
    config = GuidedRegression.presets["quick"].updated({"uncertainty": False})
    seen = panels[0].truths[..., :90], panels[0].mixture[..., :90]
    gains = []
    for problem in (spoilt, replace(spoilt, valid=covered)):
        sources = restore(solve(problem, config)[0]["sources"], problem.scaling, share_of=2)
        gains.append(score(sources[..., :90], *seen)["mean_gain_offset_free"])
    assert gains[1] > gains[0] + 0.1


@pytest.mark.parametrize(("n_guides", "least"), [(2, 5.0), (1, 3.0)])
def test_the_stated_gains(panels: list[Panel], n_guides: int, least: float):
    problems = [panel_problem(p, n_guides) for p in panels]
    gains = [gain(p, solve(q, GuidedRegressionConfig())[0], q) for p, q in zip(panels, problems, strict=True)]
    assert np.mean(gains) >= least
    assert min(gains) > 0


def test_a_part_of_the_pixels_serves_for_the_whole(panels: list[Panel]):
    problem = panel_problem(panels[0])
    config = GuidedRegression.presets["quick"]
    whole, part = (
        gain(panels[0], solve(problem, config.updated({"pixels": p}))[0], problem) for p in (2**14, 2**13)
    )
    assert part > whole - 1.0


def test_large_images_are_fitted_at_reduced_size_and_registered_at_full_size(monkeypatch: pytest.MonkeyPatch):
    panel = simulate_panel(1, 160, misregistration=2.0)
    problem = panel_problem(panel)
    config = GuidedRegression.presets["quick"]
    answer = solve(problem, config)[0]
    monkeypatch.setattr("napari_bitsnet.methods.guided.solve.SEEN", 2.0**-6)  # 2^13 pixels, 90 x 90
    reduced, small = solve(problem, config)
    assert small.model is not None
    assert small.model.modes.size == (160, 160)
    assert small.model.terms[0].image is problem.guides[0]
    assert gain(panel, reduced, problem) > gain(panel, answer, problem) - 1.0
    assert reduced["uncertainty"].shape == reduced["unexplained"].shape
    method = GuidedRegression(config)
    looked_at = method.warm_start(problem, small, device="cpu", seed=0)  # a slice of a stack, before its fit
    monkeypatch.setattr("napari_bitsnet.methods.guided.solve.SEEN", 2.0**-3)
    assert gain(panel, method.solution(looked_at), problem) > 1.0


def test_strips_serve_for_the_whole(panels: list[Panel], monkeypatch: pytest.MonkeyPatch):
    problem, config = (
        panel_problem(panels[0]),
        GuidedRegression.presets["quick"].updated({"uncertainty": False}),
    )
    whole = solve(problem, config)[0]["sources"]
    monkeypatch.setattr(_guided_model, "PIECE", 2**12)
    assert len(sample_windows((128, 128), 2**14)) == 4
    parts = solve(problem, config)[0]["sources"]
    assert (parts - whole).square().mean().sqrt() < 0.01  # differences across borders are left out


def test_strips_cover_the_image_once():
    strips = sample_windows((700, 500), 2**19)
    assert [w.top for w in strips[1:]] == [w.top + w.height for w in strips[:-1]]
    assert (strips[0].top, strips[-1].top + strips[-1].height) == (0, 700)
    assert all(w.top % 16 == 0 and (w.left, w.width) == (0, 500) for w in strips)
    assert max(w.height * w.width for w in strips) < 2**16 + 16 * 500


def test_windows():
    assert sample_windows((100, 50), 5000) == [Window(0, 0, 100, 50)]
    windows = sample_windows((1000, 2000), 2**18)
    assert 0.8 * 2**18 < sum(w.height * w.width for w in windows) <= 2**18
    covered = np.zeros((1000, 2000), int)
    for w in windows:
        covered[w.top : w.top + w.height, w.left : w.left + w.width] += 1
    assert covered.sum() == sum(w.height * w.width for w in windows)
    assert covered.max() == 1
    assert covered[:500].sum() == covered[500:].sum()
    assert sample_windows((4, 5000), 2**12)[0].height == 4


def test_before_the_fit_a_rough_one_answers_once():
    problem = panel_problem(simulate_panel(0, 96))
    method = GuidedRegression(GuidedRegression.presets["quick"])
    state = method.start(problem, device="cpu", seed=0)
    assert state.has_start
    answer = method.solution(state)
    assert method.solution(state) is answer
    even = (problem.observations / 2).repeat(2, 1, 1, 1)
    torch.testing.assert_close(answer["sources"].sum(0), problem.observations[0], rtol=0, atol=1e-5)
    next(method.advance(state))
    final = method.solution(state)["sources"]

    def left(sources: torch.Tensor) -> float:
        """Edges by which sources differ from the fit's."""
        return float((sources - final).diff(dim=-1).abs().mean())

    assert left(answer["sources"]) < 0.7 * left(even)


def test_what_it_cannot_solve():
    method = GuidedRegression()
    assert method.unsupported_reason(Traits(n_guides=1)) is None
    assert "needs a guide" in str(method.unsupported_reason(Traits()))
    assert "several mixtures" in str(
        method.unsupported_reason(Traits(n_observations=2, mixing="weighted", n_guides=1))
    )
