from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.methods.unmixing.joint_diagonalisation import diagonality, joint_diagonaliser


def diagonalisable(n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(k, k)) + 2 * np.eye(k)
    variances = rng.exponential(size=(n, k)) + 0.01
    return mixing, np.einsum("ik,nk,jk->nij", mixing, variances, mixing)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_undoes_the_mixing_up_to_order_and_scale(k):
    mixing, covariances = diagonalisable(200, k)
    product = np.abs(joint_diagonaliser(covariances) @ mixing)
    product /= product.max(axis=1, keepdims=True)
    assert sorted(product.argmax(axis=1)) == list(range(k))
    assert np.sort(product, axis=1)[:, :-1].max() < 1e-5


def test_diagonal_matrices_stay():
    covariances = np.random.default_rng(0).exponential(size=(50, 3, 1)) * np.eye(3)
    np.testing.assert_allclose(joint_diagonaliser(covariances), np.eye(3), atol=1e-9)


def test_the_scale_of_a_matrix_does_not_count():
    _, covariances = diagonalisable(60, 3)
    covariances = covariances + 0.1 * np.eye(3)  # no longer exactly diagonalisable
    scales = np.random.default_rng(1).exponential(size=(60, 1, 1)) + 0.1
    np.testing.assert_allclose(
        joint_diagonaliser(covariances * scales), joint_diagonaliser(covariances), atol=1e-6
    )


def test_ends_at_a_minimum_of_the_criterion():
    rng = np.random.default_rng(2)
    factors = rng.normal(size=(100, 3, 8))
    covariances = factors @ factors.transpose(0, 2, 1)
    basis = joint_diagonaliser(covariances)

    def criterion(b: np.ndarray) -> float:
        return diagonality(b @ covariances @ b.T)

    assert criterion(basis) < criterion(np.eye(3))
    for _ in range(20):
        assert criterion((np.eye(3) + 1e-3 * rng.normal(size=(3, 3))) @ basis) > criterion(basis)


def test_the_criterion_is_zero_for_diagonal_matrices_only():
    assert diagonality(np.stack([np.diag([1.0, 4.0]), np.diag([3.0, 0.1])])) == pytest.approx(0, abs=1e-12)
    assert diagonality(np.array([[[2.0, 1.0], [1.0, 2.0]]])) == pytest.approx(np.log(4 / 3))
