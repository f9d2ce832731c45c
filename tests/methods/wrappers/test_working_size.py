"""Images of any size: small ones untouched, large ones brought back with nothing lost."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.mixing import Weighted
from napari_bitsnet.core.problem import Problem, State
from napari_bitsnet.methods import BaseMethod
from napari_bitsnet.methods.wrappers.working_size import WorkingSize, bring_back


class PartConfig(Config):
    iterations: int = setting(3, "Iterations.", ge=1, le=9, step=1)


class Part(BaseMethod):
    """Gives the left 30 % of the mixture's contrast to source 1, the rest to source 2."""

    name = "part"
    title = "Part"
    summary = "A toy."
    Config = PartConfig
    presets: ClassVar = {"balanced": PartConfig()}
    full_resolution = False

    def __init__(self, config=None):
        super().__init__(config)
        self.rule_after = None

    @property
    def iterations(self):
        return self.config.iterations

    def unsupported_reason(self, traits):
        return "it has guides." if traits.n_guides else None

    def start(self, problem, *, device, seed):
        return State(problem)

    def advance(self, state):
        while True:
            state.step += 1
            yield {}

    def solution(self, state):
        mixture = state.problem.observations[:1]
        return {
            "sources": torch.cat([0.3 * mixture + 0.1, 0.7 * mixture - 0.1]),
            "confidence": mixture[:, :1],
            "weights": torch.eye(2),
        }

    def stopping(self):
        if self.rule_after is None:
            return None
        rule = type("Rule", (), {"count": 0})()

        def update(sources):
            rule.count += 1
            return rule.count >= self.rule_after

        rule.update = update
        return rule


def photograph(height, width, channels):
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((1, channels, 9, 9), dtype=np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return 0.8 * smooth + 0.2 * torch.from_numpy(rng.random((1, channels, height, width), dtype=np.float32))


@pytest.mark.parametrize(("height", "width", "channels"), [(97, 143, 3), (143, 97, 1), (64, 200, 3)])
def test_large_images_come_back_whole(height, width, channels):
    problem = Problem(photograph(height, width, channels))
    method = WorkingSize(Part(), 48)
    state = method.start(problem, device="cpu", seed=0)
    assert max(state.inner.problem.observations.shape[-2:]) == 48
    answer = method.solution(state)
    assert answer["sources"].shape == (2, channels, height, width)
    torch.testing.assert_close(
        answer["sources"].sum(0, keepdim=True), problem.observations, atol=1e-6, rtol=0
    )
    # the toy's sources are linear in the mixture: so are they at full resolution, fine detail included
    torch.testing.assert_close(answer["sources"][:1], 0.3 * problem.observations + 0.1, atol=0.01, rtol=0)
    assert answer["confidence"].shape == (1, 1, height, width)
    assert answer["weights"].shape == (2, 2)


def test_small_images_go_straight_through():
    problem = Problem(photograph(40, 30, 3), valid=torch.ones(1, 1, 40, 30, dtype=torch.bool))
    method, plain = WorkingSize(Part(), 48), Part()
    state = method.start(problem, device="cpu", seed=0)
    assert state.inner.problem is problem
    expected = plain.solution(plain.start(problem, device="cpu", seed=0))
    for name, value in method.solution(state).items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def test_what_the_working_size_knows_beyond_the_mixture_is_kept():
    full = photograph(96, 96, 1)
    small = torch.nn.functional.interpolate(full, size=(48, 48), mode="bilinear", antialias=True)
    ramp = torch.linspace(0, 1, 48).expand(1, 1, 48, 48)
    wide = bring_back(torch.cat([ramp, small - ramp]), small, full)
    torch.testing.assert_close(wide[:1], torch.linspace(0, 1, 96).expand(1, 1, 96, 96), atol=0.06, rtol=0)


def test_several_mixtures_guide_together():
    sources = torch.cat([photograph(120, 90, 1), photograph(120, 90, 1).flip(-1)])
    weights = torch.tensor([[0.7, 0.3], [0.4, 0.6]])
    full = torch.einsum("mk,kchw->mchw", weights, sources)
    resize = lambda x: torch.nn.functional.interpolate(x, size=(60, 45), mode="bilinear", antialias=True)  # noqa: E731
    wide = bring_back(resize(sources), resize(full), full)
    torch.testing.assert_close(wide, sources, atol=0.05, rtol=0)
    assert Problem(full, mixing=Weighted(weights)).traits.mixing == "weighted"


def test_it_is_the_method_it_wraps():
    part = Part(PartConfig(iterations=5))
    method = WorkingSize(part, 48)
    assert (method.name, method.title, method.iterations) == ("part", "Part", 5)
    assert method.config is part.config
    assert method.full_resolution
    traits = Problem(photograph(8, 8, 1)).traits
    assert method.unsupported_reason(traits) is None


def test_the_methods_rule_ends_the_run():
    part = Part()
    part.rule_after = 4
    method = WorkingSize(part, 48)
    state = method.start(Problem(photograph(60, 60, 1)), device="cpu", seed=0)
    assert sum(1 for _ in method.advance(state)) == 4
    assert state.step == 4
