"""Filling: exact where surroundings say everything, known pixels untouched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import laplace

from napari_bitsnet.core.patches.sparse_fill import membrane_fill, smooth_fill, sparse_fill


@pytest.fixture
def hole() -> torch.Tensor:
    hole = torch.zeros((1, 1, 40, 40), dtype=torch.bool)
    hole[..., 15:21, 12:24] = True
    return hole


def test_planes_are_continued_and_known_pixels_stay(hole):
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    image = (0.2 + 0.01 * y + 0.005 * x).expand(1, 3, -1, -1).clone()
    spoilt = torch.where(hole, 0.0, image)
    for fill in (smooth_fill, sparse_fill):
        found = fill(spoilt, hole)
        assert torch.equal(found[..., ~hole[0, 0]], image[..., ~hole[0, 0]])
        assert float((found - image).abs().max()) < 0.01


def test_the_smooth_filling_has_no_gradient_of_curvature(hole):
    image = torch.rand((1, 1, 40, 40), generator=torch.Generator().manual_seed(0)).double()
    found = smooth_fill(image, hole, tolerance=1e-8)[0, 0].numpy()
    bent = laplace(laplace(found, mode="reflect"), mode="reflect")
    assert np.abs(bent[hole[0, 0].numpy()]).max() < 1e-5


def test_waves_are_continued_better_than_smoothly(hole):
    x = torch.arange(40.0)
    image = (0.5 + 0.3 * torch.sin(2 * torch.pi * x / 6)).expand(1, 1, 40, 40)
    errors = [float((fill(image * ~hole, hole) - image).abs().mean()) for fill in (sparse_fill, smooth_fill)]
    assert errors[0] < 0.5 * errors[1]


def test_without_a_hole_nothing_changes():
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert sparse_fill(image, torch.zeros((1, 1, 16, 16), dtype=torch.bool)) is image


def test_a_membrane_lies_between_what_is_known_and_covers_most_of_an_image():
    image = torch.zeros((1, 1, 33, 50))
    image[..., 40:] = 1
    missing = torch.zeros((1, 1, 33, 50), dtype=torch.bool)
    missing[..., 5:40] = True
    found = membrane_fill(torch.where(missing, 7.0, image), missing)
    assert torch.equal(found[~missing], image[~missing])
    along = found[0, 0, 16, 5:40]
    assert (along.diff() > 0).all()
    torch.testing.assert_close(along, torch.arange(1, 36) / 36, atol=0.08, rtol=0)
