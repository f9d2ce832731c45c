"""Context and networks: they gain where the hidden image depends on surroundings, and never make a weak
guide's answer worse."""

from dataclasses import replace

import pytest
import torch

from napari_bitsnet.core.denoisers.gaussian import blur
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.stages import Stage, exhaust
from napari_bitsnet.methods import METHODS
from napari_bitsnet.methods.guided.context import fitting_context
from napari_bitsnet.methods.guided.guided_network import GuidedNetwork
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression
from napari_bitsnet.methods.guided.holdout import context_weight
from napari_bitsnet.methods.guided.network import Training

SIZE = 48
PLAIN = {"registration": "none", "cracks": False, "correct": False, "n_clusters": 32, "n_reweightings": 2}


def image(seed: int, channels: int = 3) -> torch.Tensor:
    """Texture at several scales, (1, C, SIZE, SIZE) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, channels, SIZE, SIZE, generator=generator)
    mixed = noise + 4 * blur(noise, 1.5) + 12 * blur(noise, 4.0)
    return (mixed - mixed.amin()) / (mixed.amax() - mixed.amin())


def neighbourhood(guide: torch.Tensor, seed: int) -> torch.Tensor:
    """A non-linear function of a guide's colours and of what surrounds them."""
    weights = torch.rand(2, 3, 1, 1, generator=torch.Generator().manual_seed(seed))
    own, around = (
        (guide * weights[0]).sum(1, keepdim=True),
        (blur(guide, 2.0) * weights[1]).sum(1, keepdim=True),
    )
    return torch.sin(3 * own) * 0.15 + 0.6 * (around - own).abs() + 0.2 * around


@pytest.fixture(scope="module")
def pair() -> tuple[Problem, torch.Tensor]:
    guides = image(0), image(1)
    hidden = torch.cat([neighbourhood(g, seed) for seed, g in enumerate(guides, 5)])
    return Problem(hidden.sum(0, keepdim=True), 2, guides=guides), hidden


@pytest.mark.parametrize("helps", [True, False])
def test_context_counts_only_where_surroundings_explain_more(pair, helps: bool):
    problem, _ = pair
    observation = problem.observations
    if not helps:  # what every pixel's own colour says, and noise
        noise = torch.randn(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
        observation = sum(guide.mean(1, keepdim=True) / 2 for guide in problem.guides) + 0.02 * noise
    fit = exhaust(fitting_context(problem.guides, observation, None, seed=0))
    assert (context_weight(fit.with_context, fit.without) > 0) == helps


def test_guides_that_show_the_same_are_told_and_get_no_context(pair):
    problem, _ = pair
    guide = problem.guides[0]
    alike = Problem(problem.observations, 2, guides=(guide, (guide + 0.01 * image(9)).clamp(0, 1)))
    found = {}
    for name, each in (("alike", alike), ("different", problem)):
        method = GuidedRegression(GuidedRegression.presets["balanced"].updated(PLAIN))
        state = method.start(each, device="cpu", seed=0)
        exhaust(method.iterating(state))
        found[name] = [n for n in state.notices if "could belong to any source" in str(n)]
    assert len(found["alike"]) == 1
    assert found["different"] == []


def error(sources: torch.Tensor, hidden: torch.Tensor) -> float:
    wrong = sources - hidden
    return float((wrong - wrong.mean(dim=(2, 3), keepdim=True)).square().mean())


def solve(problem: Problem, name: str, **changes: object) -> torch.Tensor:
    method = METHODS.get(name)
    solver = method(method.presets["balanced"].updated({**PLAIN, **changes}))
    state = solver.start(problem, device="cpu", seed=0)
    for _ in solver.advance(state):
        pass
    return solver.solution(state)["sources"]


def test_context_explains_more_of_held_out_blocks_where_surroundings_count(
    pair: tuple[Problem, torch.Tensor],
):
    problem, _ = pair
    fit = exhaust(fitting_context(problem.guides, problem.observations, None, seed=0))
    assert 1 - fit.with_context < 0.75 * (1 - fit.without)
    colours = sum(
        (g * torch.tensor([0.3, -0.1, 0.2]).view(1, 3, 1, 1)).sum(1, keepdim=True) for g in problem.guides
    )
    plain = exhaust(fitting_context(problem.guides, colours, None, seed=0))
    assert plain.without > 0.97
    assert plain.with_context < plain.without + 0.01


def test_context_fits_at_reduced_size_serve_at_full_size(
    pair: tuple[Problem, torch.Tensor], monkeypatch: pytest.MonkeyPatch
):
    problem, _ = pair
    whole = exhaust(fitting_context(problem.guides, problem.observations, None, seed=0))
    monkeypatch.setattr("napari_bitsnet.methods.guided.context.STRIP", 5 * SIZE)
    for one, other in zip(whole.explain(problem.guides), whole.explain(problem.guides), strict=True):
        torch.testing.assert_close(one, other)
    monkeypatch.setattr("napari_bitsnet.methods.guided.context.FITTED_TO", 36 * 36)
    small = exhaust(fitting_context(problem.guides, problem.observations, None, seed=0))
    total = torch.stack(small.explain(problem.guides)).sum(0)
    assert total.shape == problem.observations[0].shape
    assert torch.corrcoef(torch.stack([total.flatten(), problem.observations.flatten()]))[0, 1] > 0.8


def test_each_part_gains_on_a_neighbourhood_map(pair: tuple[Problem, torch.Tensor]):
    problem, hidden = pair
    colours = error(solve(problem, "guided_regression", context=False, attribution=False), hidden)
    context = error(solve(problem, "guided_regression", attribution=False), hidden)
    network = error(solve(problem, "guided_network", attribution=False, network_steps=100), hidden)
    assert context < 0.9 * colours
    assert network < 0.95 * context


def test_a_network_lowers_the_error_in_blocks_that_it_did_not_see(pair: tuple[Problem, torch.Tensor]):
    problem, _ = pair
    base = torch.zeros_like(problem.observations)
    training = Training(problem.guides, problem.observations, base, None)
    assert exhaust(training.held_out_error(60)) < 0.8
    noise = Training([image(20), image(21)], problem.observations, base, None)
    assert exhaust(noise.held_out_error(60)) > 0.97


@pytest.mark.parametrize("n_guides", [1, 2])
@pytest.mark.parametrize("name", ["guided_regression", "guided_network"])
def test_guides_that_tell_nothing_leave_the_mixture_halved(name: str, n_guides: int):
    hidden = torch.cat([image(10, 1), image(11, 1)]) / 2
    guides = (image(12), image(13) if n_guides == 2 else None)
    problem = Problem(hidden.sum(0, keepdim=True), 2, guides=guides)
    sources = (
        solve(problem, name, network_steps=20, check_steps=20) if "network" in name else solve(problem, name)
    )
    halves = problem.observations.expand(2, -1, -1, -1) / 2
    assert error(sources, hidden) < 1.05 * error(halves, hidden)


def test_the_same_seed_gives_the_same_bits_and_the_global_generator_is_left_alone(
    pair: tuple[Problem, torch.Tensor],
):
    problem, _ = pair
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one = solve(problem, "guided_network", network_steps=20, check_steps=10)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, solve(problem, "guided_network", network_steps=20, check_steps=10))


def test_a_run_that_is_stopped_between_stages_has_the_regression_s_answer(
    pair: tuple[Problem, torch.Tensor],
):
    problem, _ = pair
    method = GuidedNetwork(GuidedNetwork.presets["balanced"].updated(PLAIN))
    state = method.start(problem, device="cpu", seed=0)
    names = []
    for stage in method.stages(state):
        assert isinstance(stage, Stage)
        names.append(stage.name)
        if stage.name.startswith("units"):
            break
    assert any(name.startswith("context") for name in names)
    torch.testing.assert_close(
        method.solution(state)["sources"], solve(problem, "guided_regression", attribution=False)
    )


def test_missing_pixels_and_a_third_source_are_no_obstacle(pair: tuple[Problem, torch.Tensor]):
    problem, _ = pair
    valid = torch.ones(1, 1, SIZE, SIZE, dtype=torch.bool)
    valid[..., 5:12, 20:31] = False
    for changed in (
        replace(problem, valid=valid),
        replace(problem, n_sources=3, guides=(*problem.guides, None)),
        replace(problem, observations=problem.observations.expand(-1, 3, -1, -1)),
    ):
        sources = solve(changed, "guided_network", network_steps=10, check_steps=10)
        torch.testing.assert_close(sources.sum(0, keepdim=True), changed.observations, atol=1e-5, rtol=0)


def test_quick_is_the_closed_form_alone(pair: tuple[Problem, torch.Tensor]):
    problem, _ = pair
    found = []
    for method in (GuidedRegression, GuidedNetwork):
        solver = method(method.presets["quick"])
        state = solver.start(problem, device="cpu", seed=0)
        list(solver.advance(state))
        found.append(solver.solution(state)["sources"])
    assert torch.equal(*found)
