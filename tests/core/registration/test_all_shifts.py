"""All shifts at once: known ones are found, in the units of a direct sum, and small overlaps do not win."""

import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_bitsnet.core.registration.all_shifts import REACH_OF_FILTER, best_shift, directions


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    noise = torch.randn(height, width, generator=torch.Generator().manual_seed(seed)).numpy()
    smooth = torch.from_numpy(gaussian_filter(noise, 1.5))
    return ((smooth - smooth.min()) / (smooth.max() - smooth.min()))[None, None]


def fit(moving: torch.Tensor, fixed: torch.Tensor, **options: float):
    return best_shift(directions(moving), directions(fixed), **options)


@pytest.mark.parametrize("corner", [(0, 0), (7, 21), (24, 30)])
def test_a_part_is_found_in_another_modality(corner: tuple[int, int]):
    whole = texture(64, 80)
    y, x = corner
    found = fit(whole[..., y : y + 40, x : x + 50], (whole - 0.5) ** 2, reach=8, far=4)
    off = (y - 12, x - 15)
    assert found.offset == off
    assert (found.elsewhere == found.gain) == (max(map(abs, off)) > 4)


def test_parts_of_both_overlap():
    whole = texture(64, 80)
    assert fit(whole[..., :50, :60], whole[..., 14:, 20:], reach=20).offset == (-14, -20)


def test_sizes_whose_middles_lie_between_pixels():
    whole = texture(64, 80)
    assert fit(whole[..., 5:46, 9:60], whole, reach=8).offset == (-6.5, -5.5)


def test_what_is_missing_does_not_matter():
    whole = texture(64, 80)
    part = whole[..., 5:45, 9:59].clone()
    part[..., :10, :10] = torch.nan
    assert fit(part, whole, reach=8).offset == (-7, -6)
    known = directions(part)
    assert not known.inside[: 10 + REACH_OF_FILTER, :10].any()
    assert not known.inside[:10, : 10 + REACH_OF_FILTER].any()
    assert known.inside[20:-REACH_OF_FILTER, 20:-REACH_OF_FILTER].all()


def test_dark_lines_fit_bright_ones_and_neither_contrast_nor_colour_matters():
    whole = texture(48, 56)
    assert fit(whole, 1 - 0.2 * whole, reach=4).gain == pytest.approx(
        fit(whole, whole, reach=4).gain, rel=1e-3
    )
    first, second = whole.clone(), whole.clone()
    first[..., 28:], second[..., :28] = 0.5, 0.5  # what one channel lacks the other has
    both = torch.cat([first, second], dim=1)
    assert fit(both, whole, reach=4).gain > 1.5 * fit(first, whole, reach=4).gain
    assert fit(both, whole, reach=4).gain > 0.4 * fit(whole, whole, reach=4).gain


@pytest.mark.parametrize(("y", "x"), [(0, 0), (3, -2)])
def test_the_gain_is_the_log_likelihood_ratio_of_a_linear_regression(y: int, x: int):
    """Of the overlap alone, whatever the transforms' size."""
    moving, fixed = (
        directions(texture(40, 44)),
        directions((texture(40, 44) - 0.5) ** 2 + 0.1 * texture(40, 44, 1)),
    )
    turned = fixed._replace(field=fixed.field.roll((y, x), (0, 1)), inside=fixed.inside.roll((y, x), (0, 1)))
    both = moving.inside * fixed.inside
    a, b = moving.field[both > 0], fixed.field[both > 0]
    r = (a.conj() * b).real.sum() / ((a.abs() ** 2).sum() * (b.abs() ** 2).sum()).sqrt()
    found = best_shift(moving, turned, reach=4)
    assert found.offset == (y, x)
    assert found.gain == pytest.approx(-float(both.sum() * torch.log1p(-(r**2))), rel=1e-3)


def test_chance_overlaps_stay_small_and_nothing_tells_nothing():
    found = fit(texture(40, 50, 1), texture(64, 80, 2), reach=30, far=6)
    assert found.gain < 2 * found.elsewhere
    assert found.gain < 0.1 * fit(texture(64, 80, 2), texture(64, 80, 2), reach=30).gain
    assert fit(torch.full((1, 3, 20, 20), 0.5), texture(40, 40), reach=4).gain == 0
    assert fit(torch.full((1, 3, 20, 20), torch.nan), texture(40, 40), reach=4).gain == 0


def test_only_places_nearby():
    whole = texture(64, 64)
    found = fit(whole.roll(9, -1), whole, reach=12, near=3, far=4)
    assert max(map(abs, found.offset)) <= 3
    assert found.elsewhere > 5 * found.gain
    assert fit(whole.roll(9, -1), whole, reach=12).offset == (0, -9)
