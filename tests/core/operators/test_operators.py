"""Gradient and divergence, blur, conjugate gradients and nearest pixels, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.core.operators.conjugate_gradients import conjugate_gradients
from napari_bitsnet.core.operators.gradient import central_gradient, divergence, gradient
from napari_bitsnet.core.operators.nearest import nearest_valid


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(6, 9), (2, 1, 6, 9), (1, 1), (1, 5)])
def test_divergence_is_minus_the_adjoint_of_the_gradient(shape):
    image, field = noise(*shape), noise(2, *shape, seed=1)
    torch.testing.assert_close((gradient(image) * field).sum(), -(image * divergence(field)).sum())


def test_the_gradient_of_a_slope_is_its_steepness_and_zero_at_the_border():
    y, x = torch.meshgrid(torch.arange(4.0), torch.arange(5.0), indexing="ij")
    down, right = gradient(3 * y - 2 * x)
    assert (down[:-1] == 3).all()
    assert (right[:, :-1] == -2).all()
    assert (down[-1] == 0).all()
    assert (right[:, -1] == 0).all()
    down, right = central_gradient(3 * y - 2 * x)
    assert (down[1:-1] == 3).all()
    assert (right[:, 1:-1] == -2).all()
    assert (down[[0, -1]] == 0).all()
    assert (right[:, [0, -1]] == 0).all()


@pytest.mark.parametrize("width", [0.5, 1.3, 4.0])
@pytest.mark.parametrize("shape", [(12, 15), (2, 3, 7, 9)])
def test_blur_is_scipys_gaussian_and_keeps_the_mean(shape, width):
    image = noise(*shape)
    blurred = blur(image, width)
    axes = (len(shape) - 2, len(shape) - 1)
    np.testing.assert_allclose(blurred, gaussian_filter(image.numpy(), width, axes=axes), atol=1e-12)
    torch.testing.assert_close(blurred.mean(dim=axes), image.mean(dim=axes))


def test_blur_without_width_changes_nothing():
    image = noise(3, 4)
    assert torch.equal(blur(image, 0.0), image)


@pytest.mark.parametrize("jacobi", [False, True])
def test_conjugate_gradients_equal_a_direct_solution(jacobi):
    root = noise(20, 20)
    matrix = root @ root.T + torch.diag(10 * noise(20, seed=1))
    target, start = noise(20, seed=2), noise(20, seed=3)
    options = {"precondition": lambda residual: residual / matrix.diag()} if jacobi else {}
    found = conjugate_gradients(
        lambda x: matrix @ x, target - matrix @ start, start, steps=200, tolerance=1e-12, **options
    )
    torch.testing.assert_close(found, torch.linalg.solve(matrix, target), rtol=1e-7, atol=1e-9)


def test_conjugate_gradients_end_at_the_tolerance_and_where_nothing_is_left():
    matrix, calls = torch.diag(torch.arange(1.0, 31.0, dtype=torch.float64)), []

    def operator(x):
        calls.append(x)
        return matrix @ x

    target = noise(30)
    found = conjugate_gradients(operator, target, torch.zeros_like(target), steps=100, tolerance=0.01)
    assert len(calls) < 30
    assert (target - matrix @ found).norm() <= 0.01 * target.norm()
    exact = target / matrix.diag()
    assert torch.equal(conjugate_gradients(operator, torch.zeros_like(target), exact, steps=9), exact)


def test_missing_pixels_get_the_value_of_the_nearest_valid_one():
    rng = np.random.default_rng(0)
    missing = rng.random((9, 11)) < 0.6
    rows, columns = nearest_valid(missing)
    assert not missing[rows, columns].any()
    y, x = np.mgrid[:9, :11]
    valid = np.stack(np.nonzero(~missing), axis=1)
    least = np.hypot(y[..., None] - valid[:, 0], x[..., None] - valid[:, 1]).min(axis=-1)
    np.testing.assert_allclose(np.hypot(rows - y, columns - x), least)
