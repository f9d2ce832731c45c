"""All shifts at once: known ones are found, in the units of a direct sum, and small overlaps do not win."""

import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_bitsnet.core.colours import ColourBasis, fit_centres
from napari_bitsnet.core.registration.all_shifts import CLUSTERS, WIDTH, best_shift


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    noise = torch.randn(height, width, generator=torch.Generator().manual_seed(seed)).numpy()
    smooth = torch.from_numpy(gaussian_filter(noise, 1.5))
    return ((smooth - smooth.min()) / (smooth.max() - smooth.min()))[None, None]


@pytest.mark.parametrize("corner", [(0, 0), (7, 21), (24, 30)])
def test_a_part_is_found_in_another_modality(corner: tuple[int, int]):
    whole = texture(64, 80)
    y, x = corner
    part = whole[..., y : y + 40, x : x + 50]
    found = best_shift(part, (whole - 0.5) ** 2, reach=8)
    assert found.offset == (y - 12, x - 15)
    assert found.gain > 20 * found.typical


def test_parts_of_both_overlap():
    whole = texture(64, 80)
    found = best_shift(whole[..., :50, :60], whole[..., 14:, 20:], reach=20)
    assert found.offset == (-14, -20)


def test_what_is_missing_does_not_matter():
    whole = texture(64, 80)
    part = whole[..., 5:45, 9:59].clone()
    part[..., :10, :10] = torch.nan
    assert best_shift(part, whole, reach=8).offset == (-7, -6)


def test_the_gain_is_the_log_likelihood_ratio_of_a_linear_regression():
    whole, other = texture(40, 44), texture(40, 44, 1)
    goal = (whole - 0.5) ** 2 + 0.1 * other
    found = best_shift(whole, goal, reach=0)
    memberships = ColourBasis(fit_centres(whole, CLUSTERS, seed=0), WIDTH).memberships(whole[0])

    def gradients(images: torch.Tensor) -> torch.Tensor:  # away from the border, (N, 2 * pixels)
        dy = images[:, 2:, 1:-1] - images[:, :-2, 1:-1]
        dx = images[:, 1:-1, 2:] - images[:, 1:-1, :-2]
        return torch.cat([dy.flatten(1), dx.flatten(1)], dim=1).double()

    a, g = gradients(memberships), gradients(goal[0])[0]
    rest = g - a.T @ torch.linalg.pinv(a.T, rtol=0.03) @ g  # squared, the smallest eigenvalue that counts
    assert found.gain == pytest.approx(-38 * 42 * float(torch.log((rest**2).sum() / (g**2).sum())), rel=0.03)


def test_chance_overlaps_stay_small_and_nothing_tells_nothing():
    found = best_shift(texture(40, 50, 1), texture(64, 80, 2), reach=30)
    assert found.gain < 8 * found.typical
    flat = best_shift(torch.full((1, 3, 20, 20), 0.5), texture(40, 40), reach=4)
    assert flat.gain == 0
    assert best_shift(torch.full((1, 3, 20, 20), torch.nan), texture(40, 40), reach=4).gain == 0


def test_only_places_nearby():
    whole = texture(64, 64)
    found = best_shift(whole.roll(9, -1), whole, reach=12, near=3)
    assert max(map(abs, found.offset)) <= 3
    assert best_shift(whole.roll(9, -1), whole, reach=12).offset == (0, -9)
