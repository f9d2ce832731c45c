"""The network of interacting streams."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.methods.ytmt.hypercolumn import shipped_hypercolumn
from napari_bitsnet.methods.ytmt.network import YTMTNetwork


def mixture(channels: int = 3, height: int = 16, width: int = 24) -> torch.Tensor:
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("joining", ["concatenation", "sum"])
@pytest.mark.parametrize("passed", ["negative", "positive", "nothing"])
@pytest.mark.parametrize("streams", [2, 3])
def test_every_variant_answers_in_the_mixtures_size(make_network, joining, passed, streams):
    network = make_network(streams=streams, joining=joining, passed=passed)
    assert network(mixture()).shape == (2, streams, 3, 16, 24)


def test_before_training_nothing_is_taken_from_the_mixture():
    seen = mixture()
    whole = YTMTNetwork(widths=(8, 16), stem=2)(seen)
    torch.testing.assert_close(whole, torch.stack([seen, torch.zeros_like(seen)], dim=1))
    shares = YTMTNetwork(widths=(8, 16), stem=2, streams=3, whole=False)(seen)
    torch.testing.assert_close(shares, (seen / 3)[:, None].expand(-1, 3, -1, -1, -1))


@pytest.mark.parametrize("stages", [1, 2])
def test_shares_add_up_to_the_mixture(make_network, stages):
    network = make_network(streams=3, whole=False, stages=stages, channels=1)
    seen = mixture(1)
    shares = network(seen)
    assert float(shares.std(dim=1).mean()) > 0.01
    torch.testing.assert_close(shares.sum(dim=1), seen, rtol=0, atol=1e-5)


def test_the_streams_are_independent_only_without_an_exchange(make_network):
    for passed, independent in (("nothing", True), ("negative", False)):
        network = make_network(passed=passed, joining="sum")
        before = network(mixture())
        with torch.no_grad():  # what belongs to the second stream alone
            channels = network.stages[0].entry.weight.shape[0] // 2
            network.stages[0].entry.weight[channels:] *= 2
        after = network(mixture())
        assert torch.equal(before[:, 0], after[:, 0]) == independent
        assert not torch.equal(before[:, 1], after[:, 1])


def test_a_second_stage_begins_near_the_answer_of_the_first(make_network):
    first = make_network()
    second = first.with_second_stage().requires_grad_(False)
    assert torch.equal(second.stages[0](mixture()[:, None].expand(-1, 2, -1, -1, -1), []), first.stages[0](
        mixture()[:, None].expand(-1, 2, -1, -1, -1), []))  # fmt: skip
    change = float((first(mixture()) - mixture()[:, None] * first.start[:, None, None, None]).std())
    assert float((second(mixture()) - first(mixture())).std()) < 0.5 * change


def test_a_size_that_does_not_fit_is_refused(make_network):
    with pytest.raises(ValueError, match=r"Expected height and width in multiples of 4, got \(18, 24\)"):
        make_network()(mixture(height=18))


def test_the_hypercolumn_has_the_sizes_that_it_tells():
    features = shipped_hypercolumn()
    seen = mixture(height=64, width=128)
    for maps, (channels, stride) in zip(features(seen), features.sides, strict=True):
        assert maps.shape == (2, channels, 64 // stride, 128 // stride)
        assert 0.05 < float(maps.square().mean().sqrt()) < 20
    network = YTMTNetwork(widths=(8, 16, 16), stem=4, sides=features.sides)
    torch.nn.init.normal_(network.stages[0].last.weight, std=0.1)
    assert not torch.allclose(network(seen, *features(seen)), network(seen, *features(seen.flip(1))))
