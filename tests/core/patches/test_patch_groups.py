"""Groups of similar patches: what they are, what they remove, what they fill."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.patches import denoising as patch_denoising
from napari_bitsnet.core.patches.denoising import denoising_patches, estimate_sigma
from napari_bitsnet.core.patches.groups import (
    opponent,
    patches_of,
    put_together,
    reference_rows,
    similar_patches,
)
from napari_bitsnet.core.patches.inpainting import inpainting_patches, interpolate_missing, refining_fill
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.core.tiling import TiledAverage, solve_in_tiles

SIGMA = 0.1


def picture(size: int = 40) -> torch.Tensor:
    """Bars and a disc in three colours, (1, 3, H, W)."""
    y, x = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    bars = 0.3 + 0.3 * torch.sin(25 * x + 8 * y)
    disc = ((y - 0.5) ** 2 + (x - 0.5) ** 2 < 0.08).float() * 0.3
    return torch.stack([bars + disc, bars, bars - 0.2 * disc])[None]


def noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).square().mean())


def test_opponent_colours_are_a_rotation():
    image = noise((1, 3, 6, 7))
    turned = opponent(image)
    torch.testing.assert_close(opponent(turned, inverse=True), image)
    torch.testing.assert_close(turned.square().sum(), image.square().sum())
    grey = noise((1, 1, 6, 7))
    assert torch.equal(opponent(grey), grey)


def test_patches_put_together_are_the_image():
    image = noise((1, 2, 9, 11))
    patches = patches_of(image, 3)
    assert patches.shape == (7 * 9, 18)
    torch.testing.assert_close(put_together(patches, torch.ones(63), (9, 11), 3), image)


def test_reference_patches_reach_all_borders():
    rows, columns = reference_rows((20, 23), 5, 4, offset=2)
    assert rows[0] == 0
    assert rows[-1] == 15
    assert columns[-1] == 18
    assert int(rows.diff().max()) <= 4


def test_similar_patches_are_the_nearest_by_brute_force():
    image = noise((1, 1, 14, 15))
    patches = patches_of(image, 3)
    rows, columns = reference_rows((14, 15), 3, 5)
    for reference, group in similar_patches(image, rows, columns, side=3, reach=4, count=6):
        for r, members in zip(reference.tolist(), group, strict=True):
            y, x = divmod(r, 13)
            near = [
                j * 13 + i
                for j in range(max(0, y - 4), min(12, y + 5))
                for i in range(max(0, x - 4), min(13, x + 5))
            ]
            distances = (patches[near] - patches[r]).square().sum(dim=1)
            expected = [near[k] for k in distances.argsort()[:6]]
            assert set(members.tolist()) == set(expected)
            assert members[0] == r


def test_unwanted_reference_patches_are_left_out():
    image = noise((1, 1, 10, 10))
    wanted = torch.zeros(64, dtype=torch.bool)
    wanted[8] = True
    found = similar_patches(image, torch.arange(8), torch.arange(8), side=3, reach=2, count=4, wanted=wanted)
    assert torch.cat([reference for reference, _ in found]).tolist() == [8]


@pytest.mark.parametrize("channels", [1, 3])
def test_two_rounds_take_most_of_the_noise_away(channels: int):
    clean = picture()[:, :channels]
    noisy = clean + SIGMA * noise(clean.shape)
    first = exhaust(denoising_patches(noisy, SIGMA, count=40))
    second = exhaust(denoising_patches(noisy, SIGMA, first, count=40))
    assert error(first, clean) < 0.35 * SIGMA**2
    assert error(second, clean) < 0.25 * SIGMA**2


def test_without_noise_an_image_stays():
    clean = picture()
    torch.testing.assert_close(exhaust(denoising_patches(clean, 1e-4)), clean, atol=2e-3, rtol=0)


@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_the_noise_level_is_found(sigma: float):
    clean = picture(64)
    clean[..., :26] = 0.4
    assert estimate_sigma(clean + sigma * noise(clean.shape)) == pytest.approx(sigma, rel=0.12)


def test_the_noise_level_is_found_where_dark_parts_are_clipped():
    clean = picture(64)
    clean[..., :26] = 0
    noisy = (clean + SIGMA * noise(clean.shape)).clamp(0, 1)
    assert estimate_sigma(noisy) == pytest.approx(SIGMA, rel=0.2)


def test_missing_pixels_of_a_plane_are_interpolated_exactly():
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(13.0), indexing="ij")
    plane = (0.02 * y + 0.03 * x)[None, None]
    valid = torch.ones_like(plane, dtype=torch.bool)
    valid[..., 4:8, 5:9] = False
    filled = interpolate_missing(torch.where(valid, plane, 9.0), valid)
    torch.testing.assert_close(filled, plane, atol=1e-5, rtol=0)


def test_one_known_pixel_is_enough():
    valid = torch.zeros((1, 1, 6, 6), dtype=torch.bool)
    valid[..., 2, 3] = True
    image = torch.where(valid, 0.7, 0.0)
    torch.testing.assert_close(interpolate_missing(image, valid), torch.full_like(image, 0.7))


def test_a_round_fills_better_than_interpolation_and_keeps_what_is_known():
    clean = picture()
    valid = torch.rand(clean[:, :1].shape, generator=torch.Generator().manual_seed(1)) > 0.5
    observed = clean * valid
    start = interpolate_missing(observed, valid)
    answer = start
    for k in range(2):
        answer = exhaust(inpainting_patches(answer, observed, valid, count=40, offset=k))
    assert error(answer, clean) < 0.5 * error(start, clean)
    assert torch.equal(answer[valid.expand_as(answer)], observed[valid.expand_as(answer)])


def test_tiles_average_without_seams():
    first = torch.zeros(1, 1, 30, 50)
    average = TiledAverage(first, side=20, decay=0.9)
    assert torch.equal(average.value, first)
    image = noise((1, 1, 30, 50))
    for step in range(2 * len(average.tiles)):
        average.update(step, image[average.tile(step)])
    torch.testing.assert_close(average.value, image)


def test_one_tile_averages_with_decay():
    average = TiledAverage(torch.zeros(1, 1, 4, 4), side=8, decay=0.5)
    average.update(0, torch.ones(1, 1, 4, 4))
    average.update(1, torch.full((1, 1, 4, 4), 4.0))
    torch.testing.assert_close(average.value, torch.full((1, 1, 4, 4), 3.0))


def test_a_local_computation_in_tiles_is_that_of_the_whole():
    image = noise((1, 2, 37, 53))

    def blur(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(x, 5, 1, padding=2, count_include_pad=False)

    assert torch.equal(solve_in_tiles(blur, [image], side=64, margin=2), blur(image))
    torch.testing.assert_close(solve_in_tiles(blur, [image], side=16, margin=2), blur(image))


def test_a_large_images_noise_is_found_in_squares(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(patch_denoising, "SAMPLE", 64)
    monkeypatch.setattr(patch_denoising, "SQUARES", 4)
    clean = torch.full((1, 1, 180, 200), 0.5)
    clean[..., 60:] = picture(70)[:, :1].repeat(1, 1, 3, 2)[..., :180, :140]
    noisy = clean + SIGMA * noise(clean.shape)
    assert patch_denoising._sampled(noisy).shape == (1, 1, 64, 256)
    assert estimate_sigma(noisy) == pytest.approx(SIGMA, rel=0.1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_texture_goes_on_in_holes_and_nothing_else_changes(seed):
    y, x = np.mgrid[:48, :56]
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 2)
    stripes = 0.5 + 0.2 * np.sin(x + phase[0]) + 0.2 * np.sin(0.7 * y + 0.4 * x + phase[1])
    images = torch.from_numpy(np.stack([stripes, 1 - stripes])[:, None].repeat(3, axis=1)).float()
    missing = torch.zeros(1, 1, 48, 56, dtype=torch.bool)
    missing[..., 20:27, 24:30] = True
    guessed = torch.where(missing, 0.5, images)
    assert torch.equal(exhaust(refining_fill(guessed, missing, rounds=0)), guessed)
    assert torch.equal(exhaust(refining_fill(guessed, torch.zeros_like(missing), rounds=2)), guessed)
    filled = exhaust(refining_fill(guessed, missing, rounds=4))
    outside = ~missing.expand_as(images)
    assert torch.equal(filled[outside], images[outside])
    errors = [(found - images)[~outside].square().mean() for found in (guessed, filled)]
    assert errors[1] < 0.1 * errors[0]


def test_groups_are_those_of_a_search_of_every_patch():
    image, side, reach, count = noise((1, 2, 13, 15), seed=4), 3, 2, 7
    rows, columns = reference_rows((13, 15), side, 2)
    ((references, groups),) = similar_patches(image, rows, columns, side=side, reach=reach, count=count)
    patches, across = patches_of(image, side), 13
    places = torch.stack([torch.arange(len(patches)) // across, torch.arange(len(patches)) % across], dim=1)
    for reference, group in zip(references, groups, strict=True):
        near = ((places - places[reference]).abs() <= reach).all(dim=1).nonzero()[:, 0]
        distance = (patches[near] - patches[reference]).square().sum(dim=1)
        assert torch.equal(group, near[distance.argsort()[:count]])
