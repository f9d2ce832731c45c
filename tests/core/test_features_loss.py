"""Deep feature separation, eq. 4."""

import pytest
import torch
from torch import Tensor

from napari_bitsnet.core.losses.exclusion import exclusion_loss
from napari_bitsnet.core.losses.features import draw_channels, feature_exclusion_loss


def maps(n_sources: int, seed: int = 0) -> list[list[Tensor]]:
    rng = torch.Generator().manual_seed(seed)
    return [
        [torch.randn(1, 4, 16, 16, generator=rng), torch.randn(1, 6, 8, 8, generator=rng)]
        for _ in range(n_sources)
    ]


def test_sums_over_kappa() -> None:
    (a0, a1), (b0, b1) = features = maps(2)
    assert float(feature_exclusion_loss(features, kappa=(0, 1))) == pytest.approx(
        float(exclusion_loss(a0, b0) + exclusion_loss(a1, b1)), rel=1e-6
    )
    assert float(feature_exclusion_loss(features, kappa=(1,))) == pytest.approx(
        float(exclusion_loss(a1, b1)), rel=1e-6
    )


def test_order_of_sources_does_not_matter() -> None:
    features = maps(3)
    forward, backward = feature_exclusion_loss(features), feature_exclusion_loss(features[::-1])
    assert float(forward) == pytest.approx(float(backward), rel=1e-6)


def test_squashed_maps_go_through_a_sigmoid() -> None:
    features = maps(2)
    squashed = [[torch.sigmoid(m) for m in source] for source in features]
    assert torch.equal(feature_exclusion_loss(features, squash=True), feature_exclusion_loss(squashed))


def test_channels_are_drawn_from_the_seed_independently_in_each_map() -> None:
    features = maps(2)

    def drawn(seed: int) -> float:
        rng = torch.Generator().manual_seed(seed)
        return float(feature_exclusion_loss(features, channels=draw_channels([4], 2, 2, rng)))

    possible = {
        round(float(exclusion_loss(features[0][0][:, list(p)], features[1][0][:, list(q)])), 5)
        for p in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
        for q in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    }
    seen = {round(drawn(seed), 5) for seed in range(60)}
    assert seen <= possible
    assert len(seen) > 15  # the same draw in both maps could give six values only
    assert drawn(3) == drawn(3)


def test_channels_are_drawn_for_each_layer() -> None:
    drawn = draw_channels([4, 6], 3, 5, torch.Generator().manual_seed(0))
    assert [[len(c) for c in layer] for layer in drawn] == [[4] * 3, [5] * 3]
    assert all(len(set(c.tolist())) == len(c) for layer in drawn for c in layer)


def test_tiny_maps_have_no_edges() -> None:
    tiny = [[torch.rand(1, 2, 1, 1)], [torch.rand(1, 2, 1, 1)]]
    assert float(feature_exclusion_loss(tiny)) == 0


def test_wrong_use_is_named() -> None:
    with pytest.raises(ValueError, match=r"layers from 0 to 1 in kappa, got \[2\]"):
        feature_exclusion_loss(maps(2), kappa=(0, 2))
