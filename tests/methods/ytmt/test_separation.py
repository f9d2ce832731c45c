"""Any size in, the same size out: mirror images, tiles, channels, and the view of the whole."""

from __future__ import annotations

import itertools

import pytest
import torch

from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods.ytmt import separation
from napari_bitsnet.methods.ytmt.separation import Separator
from napari_bitsnet.methods.ytmt.tiles import blending_tiles, intervals


def image(channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(height))


@pytest.mark.parametrize(
    ("length", "side", "multiple"), [(100, 64, 8), (513, 512, 64), (1006, 512, 64), (65, 64, 64), (40, 64, 8)]
)
def test_tiles_cover_a_length_and_overlap(length, side, multiple):
    found = intervals(length, side, multiple)
    assert (found[0][0], found[-1][1]) == (0, length)
    for (_, end), (start, _) in itertools.pairwise(found):
        assert start < end, "neighbours overlap"
        assert start % multiple == 0
    assert all(end - start <= side + multiple for start, end in found)


def test_blended_tiles_of_a_pointwise_computation_are_exact():
    x = image(2, 75, 130)

    def predict(tile: torch.Tensor) -> torch.Tensor:
        return torch.stack([tile**2, 1 - tile], dim=1)

    sides = []
    blended = exhaust(
        blending_tiles(lambda tile: (sides.append(tile.shape[-2:]), predict(tile))[1], x, side=32, multiple=4)
    )
    torch.testing.assert_close(blended, predict(x), rtol=0, atol=1e-6)
    assert len(sides) > 10
    assert max(max(side) for side in sides) <= 36


@pytest.mark.parametrize("size", [(2, 2), (3, 50), (31, 17), (64, 40)])
@pytest.mark.parametrize(("network", "channels"), [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_any_size_and_colours_come_back_as_they_came(write_weights, size, network, channels):
    separator = Separator(write_weights(channels=network), device="cpu")
    seen = image(channels, *size)
    shares, disagreement = separator(seen, 2)
    assert shares.shape == (2, channels, *size)
    assert disagreement.shape == (1, 1, *size)
    torch.testing.assert_close(shares.sum(dim=0, keepdim=True), seen, rtol=0, atol=1e-5)


def test_mirror_images_are_averaged_and_their_disagreement_is_the_spread(write_weights):
    separator = Separator(write_weights(), device="cpu")
    seen = image(1, 32, 24)
    one, none = separator(seen, 1)
    other = separator(seen.flip(-1), 1)[0].flip(-1)
    both, spread = separator(seen, 2)
    torch.testing.assert_close(both, (one + other) / 2)
    torch.testing.assert_close(spread[0, 0], ((one - other) / 2).abs().amax(dim=0)[0], rtol=1e-4, atol=1e-6)
    assert float(none.max()) == 0
    assert float(spread.mean()) > 0


def test_what_is_coarse_in_a_large_photograph_comes_from_a_view_of_the_whole(monkeypatch):
    monkeypatch.setattr(separation, "WHOLE", 32)
    seen, sizes = image(3, 96, 128), []
    detail = torch.randn(1, 2, 3, 96, 128, generator=torch.Generator().manual_seed(0))

    def predict(small: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(small.shape[-2:]))
        ramp = torch.linspace(0, 1, small.shape[-1])
        return torch.stack([small * 0 + ramp, small * 0 + 0.25], dim=1)

    answer = separation._with_coarse(0.8 + 0.1 * detail, seen, predict)
    assert sizes == [(32, 43)]
    expected = torch.stack([torch.linspace(0, 1, 128).expand(3, 96, 128), torch.full((3, 96, 128), 0.25)])
    blurred = torch.nn.functional.avg_pool2d(answer[0] - expected, 16)
    assert float(blurred[..., 1:-1].abs().max()) < 0.02
    fine = answer - torch.nn.functional.avg_pool2d(answer[0], 3, 1, 1)
    kept = (fine[0] * detail[0]).mean() / (fine[0].std() * detail.std())
    assert float(kept) > 0.8
    near = separation._with_coarse(detail, image(3, 40, 40), predict)
    assert torch.equal(near, detail), "an image as large as those of the training is seen whole anyway"


def test_weights_that_need_other_features_are_refused(write_weights):
    with pytest.raises(ValueError, match="needs those of another version: train it again"):
        Separator(write_weights(hypercolumn="0" * 64), device="cpu")
