"""Smooth displacement fields and sampling through them."""

import math

import pytest
import torch

from napari_bitsnet.core.displacement import Modes, Window, sample

WHOLE = Window(0, 0, 20, 30)


def waves(dy: float = 0.0, dx: float = 0.0) -> torch.Tensor:
    """A band-limited image (1, 1, 20, 30), moved."""
    y, x = torch.meshgrid(torch.arange(20.0) + dy, torch.arange(30.0) + dx, indexing="ij")
    return (0.5 + 0.2 * torch.sin(2 * math.pi * x / 12) + 0.2 * torch.cos(2 * math.pi * y / 14))[None, None]


def test_modes_are_orthogonal_cosines_constant_first():
    modes = Modes((20, 30), 4)
    fields = modes.fields(WHOLE, torch.zeros(1, dtype=torch.float64))
    assert len(fields) == len(modes) == len(modes.indices) == 10
    assert modes.indices[0] == (0, 0)
    torch.testing.assert_close(fields[0], torch.ones(20, 30, dtype=torch.float64))
    gram = fields.flatten(1) @ fields.flatten(1).T
    torch.testing.assert_close(gram, torch.diag(gram.diag()))


def test_combining_sums_the_modes_also_on_a_part():
    modes, part = Modes((20, 30), 5), Window(3, 7, 9, 11)
    coefficients = torch.randn(2, len(modes), generator=torch.Generator().manual_seed(0))
    whole = torch.einsum("aj,jhw->ahw", coefficients, modes.fields(WHOLE, coefficients))
    torch.testing.assert_close(modes.combine(coefficients, WHOLE), whole)
    torch.testing.assert_close(modes.combine(coefficients, part), part.crop(whole))


def test_finer_modes_are_expected_to_be_smaller():
    roughness = Modes((20, 30), 3).roughness()
    assert roughness[0] == 1
    assert (roughness[1:] > 1).all()


def test_sampling_nothing_moved_is_exact_also_on_a_part():
    image = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(sample(image, torch.zeros(2, 20, 30), WHOLE), image[0], atol=1e-5, rtol=0)
    part = Window(4, 5, 6, 7)
    torch.testing.assert_close(
        sample(image, torch.zeros(2, 6, 7), part), part.crop(image)[0], atol=1e-5, rtol=0
    )


def test_whole_pixels_move_exactly_and_the_border_is_repeated():
    image = torch.rand(1, 1, 20, 30, generator=torch.Generator().manual_seed(1))
    shift = torch.tensor([2.0, -3.0])[:, None, None].expand(2, 20, 30)
    moved = sample(image, shift, WHOLE)
    torch.testing.assert_close(moved[:, :18, 3:], image[0, :, 2:, :27], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[:, 19, 3:], image[0, :, 19, :27], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("dy", "dx"), [(0.5, 0.0), (0.3, -0.7)])
def test_parts_of_a_pixel(dy: float, dx: float):
    shift = torch.tensor([dy, dx])[:, None, None].expand(2, 20, 30)
    inner = (slice(None), slice(3, -3), slice(3, -3))
    moved = sample(waves(), shift, WHOLE)
    assert (moved - waves(dy, dx)[0])[inner].abs().max() < 0.015
    assert (waves()[0] - waves(dy, dx)[0])[inner].abs().max() > 0.04


def test_sampling_stays_within_the_range():
    image = (torch.rand(1, 2, 20, 30, generator=torch.Generator().manual_seed(2)) > 0.5).float()
    moved = sample(image, torch.full((2, 20, 30), 0.4), WHOLE)
    assert moved.min() >= 0
    assert moved.max() <= 1
