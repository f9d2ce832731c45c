"""ADMM with RED, eqs. 8 to 11, by hand."""

import pytest
import torch
from torch import Tensor

from napari_bitsnet.methods.dip.admm import RedAdmm, coupling_loss, denoising_step, dual_step


def halve(image: Tensor, sigma: float) -> Tensor:
    return image / 2


def full(value: float) -> Tensor:
    return torch.full((2, 1, 2, 2), value, dtype=torch.float64)


def test_coupling_in_closed_form() -> None:
    loss = coupling_loss(full(0.7), full(0.4), full(0.1), mu=0.5)
    assert float(loss) == pytest.approx(0.25 * (0.7 - 0.4 - 0.1) ** 2)


def test_coupling_gradient() -> None:
    rng = torch.Generator().manual_seed(0)
    z, y, u = (torch.rand(2, 1, 3, 3, generator=rng, dtype=torch.float64) for _ in range(3))
    y.requires_grad_()
    assert torch.autograd.gradcheck(lambda image: coupling_loss(z, image, u, mu=0.5), (y,))
    (gradient,) = torch.autograd.grad(coupling_loss(z, y, u, mu=0.5), y)
    torch.testing.assert_close(gradient, (-0.5 * (z - y - u) / y.numel()).detach())


def test_eq_10_and_11_in_closed_form() -> None:
    z = denoising_step(full(0.2), full(0.6), full(0.1), lam=1.0, mu=3.0)
    torch.testing.assert_close(z, full((1.0 * 0.2 + 3.0 * 0.7) / 4))
    torch.testing.assert_close(dual_step(full(0.1), full(0.6), z), full(0.1 + 0.6 - 0.575))


def test_eq_10_is_the_minimum_for_a_fixed_denoised_image() -> None:
    """z minimises lam / 2 |z - f|^2 + mu / 2 |z - y - u|^2."""
    f, y, u = 0.2, 0.6, 0.1
    best = denoising_step(full(f), full(y), full(u), lam=0.7, mu=0.4).flatten()[0]
    energy = {
        float(c): 0.35 * (c - f) ** 2 + 0.2 * (c - y - u) ** 2 for c in torch.linspace(0, 1, 10001).double()
    }
    assert float(best) == pytest.approx(min(energy, key=lambda c: energy[c]), abs=1e-4)


def test_no_prior_leaves_the_images_alone() -> None:
    """lam = 0: z = y + u, then u stays 0 and the coupling vanishes at y."""
    y = full(0.6)
    admm = RedAdmm(full(0.6), halve, lam=0.0, mu=0.5, sigma=0.1)
    admm.update(y, step=0)
    torch.testing.assert_close(admm.z[0], y)
    assert float(admm.u.abs().max()) == 0
    assert float(admm.coupling(y)) == 0


def test_one_step_by_hand() -> None:
    """lam = mu = .5, f(z) = z / 2, from z = .8, u = 0: z' = (.5 * .4 + .5 * .6) / 1 = .5, u' = 0 + .6 -
    .5."""
    admm = RedAdmm(full(0.8), halve, lam=0.5, mu=0.5, sigma=0.1)
    assert float(admm.coupling(full(0.6))) == pytest.approx(0.25 * 0.2**2)
    admm.update(full(0.6), step=0)
    torch.testing.assert_close(admm.z[0], full(0.5))
    torch.testing.assert_close(admm.u[0], full(0.1))
    admm.update(full(0.6), step=1)  # f(.5) = .25; z'' = .5 * .25 + .5 * .7 = .475; u'' = .1 + .6 - .475
    torch.testing.assert_close(admm.z[0], full(0.475))
    torch.testing.assert_close(admm.u[0], full(0.225))


def test_z_is_clipped_and_u_is_not() -> None:
    admm = RedAdmm(full(1.0), lambda image, sigma: image, lam=0.5, mu=0.5, sigma=0.1)
    admm.u[:] = 0.9
    admm.update(full(1.0), step=0)
    torch.testing.assert_close(admm.z[0], full(1.0))
    torch.testing.assert_close(admm.u[0], full(0.9))
    admm.update(full(1.0), step=1)
    admm.u[:] = 5.0
    admm.update(full(1.0), step=2)
    torch.testing.assert_close(admm.u[0], full(5.0))


def test_denoiser_gets_sigma_and_is_called_once_a_block() -> None:
    calls = []

    def spy(image: Tensor, sigma: float) -> Tensor:
        calls.append(sigma)
        return image

    admm = RedAdmm(full(0.5), spy, lam=0.5, mu=0.5, sigma=3 / 255, every=10)
    for step in range(21):
        admm.update(full(0.5), step)
    assert calls == [3 / 255] * 3


def test_lazy_copies_equal_denoising_all_copies_at_the_start_of_each_block() -> None:
    """The released code denoises all eight copies every ten steps; here each when it is first used."""
    from napari_bitsnet.methods.dip.schedules import orientation_at

    rng = torch.Generator().manual_seed(0)
    first = torch.zeros(2, 1, 2, 2, dtype=torch.float64)
    admm = RedAdmm(first, halve, lam=0.5, mu=0.5, sigma=0.1, every=10, n_copies=8)
    z, u = first.repeat(8, 1, 1, 1, 1), torch.zeros(8, 2, 1, 2, 2, dtype=torch.float64)
    for step in range(75):
        y = torch.rand(2, 1, 2, 2, generator=rng, dtype=torch.float64)
        copy = orientation_at(step)
        if step % 10 == 0:
            denoised = halve(z, 0.1)
        new = ((0.5 * denoised[copy] + 0.5 * (y + u[copy])) / 1.0).clamp(0, 1)
        u[copy] += y - new
        z[copy] = new
        admm.update(y, step, copy)
    torch.testing.assert_close(admm.z, z)
    torch.testing.assert_close(admm.u, u)
