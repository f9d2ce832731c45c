"""Other splits of a mixture, from what the networks said of windows."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods.feedforward.alternatives import disagreement, other_splits
from napari_bitsnet.methods.feedforward.multi_crop import follow_windows, window_answers
from napari_bitsnet.methods.feedforward.network import SplitNetwork, reduce_image
from napari_bitsnet.methods.feedforward.split import Evidence, splitting


@pytest.fixture(scope="module")
def network() -> SplitNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SplitNetwork(widths=(8, 16))
        torch.nn.init.normal_(network.unet.head[2].weight, std=0.02)
    return network.eval().requires_grad_(False)


def _smooth(seed: int, size: int) -> torch.Tensor:
    noise = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, (size, size), mode="bicubic").clamp(0, 1)


def _energy(image: torch.Tensor) -> float:
    return float(image.square().sum())


@pytest.mark.parametrize("channels", [1, 3])
def test_there_are_three_and_they_differ(network: SplitNetwork, channels: int):
    mixture = _smooth(0, 80)[:, :channels]
    split = exhaust(splitting(network, mixture, views=2, looks=1))
    others = other_splits(network, split.evidence, mixture)
    assert [d.shape for d in others] == [mixture.shape] * 3
    for d in others:
        same, opposite = (_energy(d - s * split.difference) for s in (1, -1))
        assert min(same, opposite) > 0.05 * _energy(split.difference)


def test_without_closer_looks_there_are_none(network: SplitNetwork):
    mixture = _smooth(0, 80)
    assert other_splits(network, exhaust(splitting(network, mixture, looks=0)).evidence, mixture) == []


def test_a_half_with_the_wrong_sign_is_offered_the_other_way_round(network: SplitNetwork):
    """Windows that know d, each with a sign of its own, bring back the truth from the turned half, and
    support it most."""
    truth = _smooth(1, 64) - 0.5
    wrong = truth * torch.linspace(-5, 5, 64).tanh()
    seen = _smooth(2, 192)
    large = torch.nn.functional.interpolate(truth, (96, 96), mode="bilinear")
    said = torch.nn.functional.unfold(large, 64, stride=32)[0].T.reshape(-1, 3, 64, 64)
    signs = torch.tensor([1.0, -1, -1, 1]).reshape(-1, 1, 1, 1)
    mixture = reduce_image(seen, 96)
    best = other_splits(network, Evidence(seen, wrong, (signs * said,)), mixture)[0]
    right = min(_energy(best - s * large) for s in (1, -1))
    assert right < 0.1 * _energy(large)


def test_support_is_one_where_windows_agree(network: SplitNetwork):
    truth = _smooth(3, 64) - 0.5
    large = torch.nn.functional.interpolate(truth, (96, 96), mode="bilinear", align_corners=False)
    said = torch.nn.functional.unfold(large, 64, stride=32)[0].T.reshape(-1, 3, 64, 64)
    agreeing, support = follow_windows(-said, truth, 96)
    assert float(support) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(agreeing, large)
    assert float(follow_windows(torch.randn_like(said), truth, 96)[1]) < 0.2


def test_views_that_agree_leave_no_disagreement():
    class Symmetric(SplitNetwork):
        def forward(self, mixture: torch.Tensor, hints: torch.Tensor) -> torch.Tensor:
            return reduce_image(mixture, 64) - 0.5

    said = disagreement(Symmetric(widths=(8,)), _smooth(4, 128))
    assert said.shape == (1, 3, 64, 64)
    assert said.abs().max() < 1e-4


def test_windows_are_asked_once(network: SplitNetwork):
    answers = exhaust(window_answers(network, _smooth(5, 192), torch.zeros(1, 2, 192, 192)))
    assert answers.shape == (4, 3, 64, 64)
