"""Gradients, Poisson's equation and rounds of reweighted least squares, against their definitions."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.core.operators.gradient import divergence, gradient
from napari_bitsnet.core.operators.poisson import Poisson
from napari_bitsnet.methods.sparse_gradients.shares import (
    _curvature,
    _curvature_adjoint,
    reweighted_step,
    sparse_energy,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_adjoint_of_the_curvature():
    image, field = noise(2, 1, 6, 9), noise(3, 2, 1, 6, 9, seed=1)
    torch.testing.assert_close((_curvature(image) * field).sum(), (image * _curvature_adjoint(field)).sum())


def test_curvature_of_a_parabola_is_constant():
    y, x = torch.meshgrid(torch.arange(7.0), torch.arange(8.0), indexing="ij")
    yy, xx, yx = _curvature((y**2 + 3 * x**2 + 5 * x * y)[None, None])[:, 0, 0]
    assert (yy[1:-1] == 2).all()
    assert (xx[:, 1:-1] == 6).all()
    assert (yx[:-1, :-1] == 5).all()


@pytest.mark.parametrize("size", [(8, 8), (7, 12)])
def test_poisson_inverts_the_laplacian(size):
    image = noise(3, *size)
    solver = Poisson(*size, image)
    pushed = 0.1 * image - divergence(gradient(image))
    torch.testing.assert_close(solver.solve(pushed, shift=0.1), image)


@pytest.mark.parametrize("size", [(8, 8), (7, 12)])
def test_an_image_is_the_integral_of_its_gradient_up_to_its_mean(size):
    image = noise(3, *size)
    found = Poisson(*size, image).integrate(gradient(image))
    torch.testing.assert_close(found, image - image.mean(dim=(1, 2), keepdim=True))


def test_damping_takes_off_slow_waves_only():
    wave = torch.cos(torch.pi * (torch.arange(32, dtype=torch.float64) + 0.5) / 32)
    quick = torch.cos(torch.pi * 8 * (torch.arange(32, dtype=torch.float64) + 0.5) / 32)
    for image, kept in ((wave.expand(16, 32), 1 / 17), (quick.expand(16, 32), 8**4 / (8**4 + 16))):
        found = Poisson(16, 32, image).integrate(gradient(image), damped=2)
        torch.testing.assert_close(found, kept * image)


# --- Rounds --------------------------------------------------------------------------------------------


def problem(sources: int = 2) -> tuple[torch.Tensor, torch.Tensor, Poisson]:
    shares, prices = noise(sources, 3, 6, 7), 0.1 + noise(sources, 1, 6, 7, seed=1)
    return shares, prices, Poisson(6, 7, shares)


@pytest.mark.parametrize("curvature", [0.0, 0.3])
@pytest.mark.parametrize("sources", [2, 3])
def test_a_round_solves_its_least_squares_problem(sources, curvature):
    shares, prices, poisson = problem(sources)
    anchor = shares.flip(-1) + (shares - shares.flip(-1)).mean(dim=0)  # the same sum
    found = reweighted_step(
        shares, anchor, prices, poisson, power=0.8, softness=0.1, curvature=curvature, hold=0.2, steps=400
    )
    torch.testing.assert_close(found.sum(dim=0), shares.sum(dim=0))
    derivatives = [(1.0, gradient)] + [(curvature, _curvature)] * (curvature > 0)

    def squares(y: torch.Tensor) -> torch.Tensor:
        total = 0.2 * (y - anchor).square().sum()
        for weight, derivative in derivatives:
            before = derivative(shares).square().sum(dim=2, keepdim=True) + 0.1**2
            total = total + weight * (prices * before ** (0.8 / 2 - 1) * derivative(y).square()).sum()
        return total

    y = found.clone().requires_grad_()
    squares(y).backward()
    slope = y.grad - y.grad.mean(dim=0)  # along changes that add up to zero
    assert slope.abs().max() < 1e-6 * y.grad.abs().max()


def test_rounds_lower_the_energy():
    shares, prices, poisson = problem()
    energies = []
    for _ in range(6):
        energies.append(float(sparse_energy(shares, prices, power=0.7, softness=0.05, curvature=0.2)))
        shares = reweighted_step(
            shares, shares, prices, poisson, power=0.7, softness=0.05, curvature=0.2, hold=1e-6, steps=60
        )
    assert energies == sorted(energies, reverse=True)
    assert energies[-1] < 0.9 * energies[0]


def test_the_energy_of_a_step_is_its_height_to_the_power():
    image = torch.zeros(1, 1, 4, 5)
    image[..., 2:] = 0.5  # four gradients of .5 among 2 x 20
    found = sparse_energy(image, torch.full((1, 1, 4, 5), 3.0), power=0.7, softness=1e-9, curvature=0)
    assert float(found) == pytest.approx(3 * 4 / 40 * 0.5**0.7, rel=1e-4)


def test_a_solved_problem_stays_solved():
    """Going on where only rounding is left must not blow it up."""
    flat = torch.full((2, 3, 16, 16), 0.25)
    found = flat
    for _ in range(3):
        found = reweighted_step(found, flat, torch.ones(2, 1, 16, 16), Poisson(16, 16, flat), steps=60)
    torch.testing.assert_close(found, flat, rtol=0, atol=1e-5)
