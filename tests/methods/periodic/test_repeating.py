"""Repeating patterns: periods to a fraction of a pixel, exact recovery, adjoints, and what is no pattern."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods.periodic.common_period import proposed_pairs
from napari_bitsnet.methods.periodic.lattice_pair import finding_lattices
from napari_bitsnet.methods.periodic.lattices import Lattice, autocorrelation, reduced
from napari_bitsnet.methods.periodic.repeating import Repeating
from napari_bitsnet.methods.periodic.split import displace, divide_rest, fit_cells

FIRST = Lattice((17.3, 2.1), (-3.4, 21.6))
SECOND = Lattice((13.2, -9.7), (11.9, 14.4))


def drawn(lattice: Lattice, size: int, seed: int) -> torch.Tensor:
    """A pattern of random waves that repeats exactly, (1, size, size), of unit variance and without a
    mean."""
    rng = np.random.default_rng(seed)
    place = np.einsum("ij,jyx->iyx", np.linalg.inv(lattice.matrix), np.mgrid[:size, :size])
    image = np.zeros((size, size))
    for k in ((i, j) for i in range(-3, 4) for j in range(-3, 4) if (i, j) > (0, 0)):
        image += rng.normal() * np.cos(2 * np.pi * (k[0] * place[0] + k[1] * place[1] + rng.uniform()))
    return torch.from_numpy((image - image.mean()) / image.std()).float()[None]


def is_same(found: Lattice, true: Lattice, tolerance: float) -> bool:
    """Whether both span the same points, each period within so many pixels."""
    multiples = np.linalg.solve(true.matrix, found.matrix)
    whole = np.round(multiples)
    return (
        abs(abs(np.linalg.det(whole)) - 1) < 1e-9
        and np.abs(found.matrix - true.matrix @ whole).max() < tolerance
    )


def test_two_lattices_are_found_to_a_fraction_of_a_pixel():
    mixture = drawn(FIRST, 128, 0) + 0.7 * drawn(SECOND, 128, 1)
    found = exhaust(finding_lattices(mixture))
    assert len(found) == 2
    assert is_same(found[0], FIRST, 0.2)
    assert is_same(found[1], SECOND, 0.2)


def upright(period: float) -> Lattice:
    """A square lattice."""
    return Lattice((period, 0.0), (0.0, period))


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_two_patterns_with_a_common_period_are_two(noise: float):
    grain = torch.randn((1, 96, 96), generator=torch.Generator().manual_seed(0))
    mixture = drawn(upright(18), 96, 0) + 0.8 * drawn(upright(12), 96, 1) + noise * grain
    found = exhaust(finding_lattices(mixture))
    assert len(found) == 2
    assert is_same(found[0], upright(18), 0.3)
    assert is_same(found[1], upright(12), 0.3)


def test_a_large_cell_that_is_no_sum_of_smaller_ones_stays_one():
    assert len(exhaust(finding_lattices(drawn(upright(36), 96, 0)))) == 1


def test_proposed_pairs_contain_the_common_lattice_and_not_each_other():
    mixture = drawn(upright(18), 96, 0) + drawn(upright(12), 96, 1)
    proposed = proposed_pairs(mixture, upright(36))
    assert proposed
    assert [entry.error for entry in proposed] == sorted(entry.error for entry in proposed)
    for first, second in (entry.lattices for entry in proposed):
        assert first.contains(upright(36))
        assert second.contains(upright(36))
        assert not first.contains(second)
        assert not second.contains(first)
    assert proposed_pairs(torch.zeros((1, 96, 96)), upright(36)) == []


def test_missing_pixels_are_left_out():
    mixture = drawn(FIRST, 128, 0) + 0.7 * drawn(SECOND, 128, 1)
    valid = torch.ones(128, 128)
    valid[30:60, 40:90] = 0
    mixture[0, 30:60, 40:90] = 25
    assert {
        any(is_same(one, true, 0.3) for one in exhaust(finding_lattices(mixture, valid)))
        for true in (FIRST, SECOND)
    } == {True}


def test_one_pattern_is_one_and_noise_is_none():
    noise = blur(torch.randn((1, 96, 96), generator=torch.Generator().manual_seed(0)), 1.5)
    noise = noise / noise.std()
    assert exhaust(finding_lattices(noise)) == []
    assert exhaust(finding_lattices(torch.full((3, 64, 64), 0.3))) == []
    found = exhaust(finding_lattices(drawn(FIRST, 96, 0) + 0.5 * noise))
    assert len(found) == 1
    assert FIRST.contains(found[0])  # its periods are the pattern's, or sums of them


def test_two_exact_patterns_come_back():
    first, second = drawn(FIRST, 128, 2), drawn(SECOND, 128, 3)
    patterns = [Repeating(lattice, (128, 128), 1, first) for lattice in (FIRST, SECOND)]
    for _ in range(3):
        fit_cells(patterns, first + second, 1e-4)
        for pattern in patterns:
            pattern.learn(1e-4)
    for pattern, truth in zip(patterns, (first, second), strict=True):
        assert float(((pattern.image - truth) ** 2).mean()) < 0.01


def test_gathering_is_the_adjoint_of_sampling():
    generator = torch.Generator().manual_seed(0)
    valid = (torch.rand((20, 30), generator=generator) > 0.2).float()
    pattern = Repeating(Lattice((7.3, 1.0), (-2.0, 9.1)), (20, 30), 3, valid, valid)
    pattern.displace(torch.randn((2, 20, 30), generator=generator))
    cell, image = (
        torch.randn(pattern.cell.shape, generator=generator),
        torch.randn((3, 20, 30), generator=generator),
    )
    left, right = (pattern.sample(cell) * image * valid).sum(), (cell * pattern.gather(image)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-4)


def test_a_displaced_pattern_is_followed():
    true = drawn(FIRST, 96, 4)
    pattern = Repeating(FIRST, (96, 96), 1, true)
    fit_cells([pattern], true, 1e-3)
    moved = Repeating(FIRST, (96, 96), 1, true)
    moved.cell = pattern.cell
    moved.displace(torch.full((2, 96, 96), 0.8))
    target = moved.image
    for _ in range(4):
        displace([pattern], target - pattern.image, 15.0)
    assert float((pattern.displacement - 0.8)[:, 20:-20, 20:-20].abs().max()) < 0.15


def test_the_rest_goes_where_there_is_something():
    rest = torch.randn((1, 64, 64), generator=torch.Generator().manual_seed(1))
    something = torch.randn((1, 64, 64), generator=torch.Generator().manual_seed(2))
    part = divide_rest(something, torch.zeros_like(rest), rest)
    assert float(((part - rest)[..., 8:-8, 8:-8] ** 2).mean()) < 0.01
    assert torch.allclose(divide_rest(something, something, rest), rest / 2, atol=1e-5)


def test_autocorrelation_is_one_where_a_pattern_repeats():
    image = np.tile(np.random.default_rng(0).normal(size=(1, 12, 10)), (1, 5, 6))
    correlation = autocorrelation(image - image.mean())
    assert correlation[60, 60] == pytest.approx(1)
    assert correlation[60 + 12, 60 + 20] == pytest.approx(1, abs=1e-6)
    assert correlation[60 + 5, 60 + 4] < 0.5


def test_reduced_vectors_span_the_same_lattice():
    a, b = np.array([5.0, 1.0]), np.array([-1.0, 7.0])
    short = reduced(3 * a + 2 * b, 4 * a + 3 * b)
    assert {tuple(np.abs(v)) for v in short} == {tuple(np.abs(a)), tuple(np.abs(b))}


def test_lattices_know_their_parts_and_their_size():
    coarse = Lattice((34.6, 4.2), (-3.4, 21.6))
    assert FIRST.contains(coarse)
    assert not coarse.contains(FIRST)
    assert all(half.contains(FIRST) and half.area == pytest.approx(FIRST.area / 2) for half in FIRST.halves())
    assert FIRST.scaled(2).area == pytest.approx(4 * FIRST.area)
