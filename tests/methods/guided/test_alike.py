"""Guides and sources that look alike are noticed, and sources are then drawn together."""

import pytest
import torch

from napari_bitsnet.methods.guided.alike import (
    MOST_DRAWN,
    PIXELS,
    alike_notices,
    distance_kept,
    drawn_together,
    resemblance,
)

SIDE = 96


def waves(axis: int, side: int = SIDE) -> torch.Tensor:
    """Waves of 32 pixels along an axis, (1, 1, side, side); those along the other axis do not correlate."""
    places = (torch.arange(side) + 0.5) * (2 * torch.pi / 32)
    shape = [1, 1, 1, 1]
    shape[2 + axis] = side
    return places.cos().view(shape).expand(1, 1, side, side).clone()


def test_resemblance_is_the_correlation_of_coarse_waves():
    one, other = waves(0), waves(1)
    assert resemblance(one, 1.5 * one) == pytest.approx(1, abs=1e-5)
    assert resemblance(one, 0.5 * one) == pytest.approx(-1, abs=1e-5)
    assert resemblance(one, one + other) == pytest.approx(0, abs=1e-5)
    assert resemblance(one, one + 0.6 * one + 0.8 * other) == pytest.approx(0.6, abs=1e-4)
    assert resemblance(3 * one, 3 * (1.6 * one + 0.8 * other)) == pytest.approx(0.6, abs=1e-4)
    assert resemblance(torch.zeros_like(one), one) == 0
    fine = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    assert resemblance(one, 1.5 * one + 0.2 * fine) > 0.95  # pixels' noise is no coarse wave


def test_missing_pixels_do_not_count_and_size_hardly_does():
    one, other = waves(0), waves(1)
    valid = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool)
    valid[..., : SIDE // 2] = True
    mixture = torch.where(valid, 1.5 * one, one + other)
    assert resemblance(one, mixture, valid) > 0.9
    assert resemblance(one, mixture, ~valid) < 0.2
    large = torch.nn.functional.interpolate(waves(0, 128), scale_factor=2, mode="bilinear")
    assert large[0, 0].numel() > PIXELS
    assert resemblance(large, large + 0.5 * large) == pytest.approx(1, abs=1e-4)


def test_sources_are_drawn_together_and_their_sum_stays():
    sources = torch.cat([waves(0), waves(1)])
    assert distance_kept(0.5) == 1
    assert distance_kept(0.7) == pytest.approx(1 - MOST_DRAWN / 2)
    assert distance_kept(0.9) == pytest.approx(1 - MOST_DRAWN)
    torch.testing.assert_close(drawn_together(sources, 1.0), sources)
    found = drawn_together(sources, 0.4)
    torch.testing.assert_close(found.sum(0), sources.sum(0))
    torch.testing.assert_close(found[0] - found[1], 0.4 * (sources[0] - sources[1]))


def test_what_is_said():
    assert alike_notices(0.2, 1.0) == []
    (common,) = alike_notices(0.4, 1.0)
    assert str(common).startswith("40% of what the guides explain could belong to any source")
    (alike,) = alike_notices(0.0, 0.6)
    assert "keep 60% of their difference" in str(alike)
