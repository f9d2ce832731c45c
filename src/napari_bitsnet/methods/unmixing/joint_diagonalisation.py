"""Joint diagonalisation: one change of basis that makes many covariance matrices as diagonal as possible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_STEPS = 200
TOLERANCE = 1e-7  # largest entry of the relative gradient at which the search ends
LEAST_CURVATURE = 1e-2  # bounds the step between two sources whose variances are nearly proportional


def joint_diagonaliser(covariances: NDArray) -> NDArray:
    """Find B such that ``B C_n B^T`` is close to diagonal for every n.

    Parameters
    ----------
    covariances : ndarray of shape (n, K, K)
        C_n, symmetric and positive definite; the scale of each has no influence.

    Returns
    -------
    ndarray of shape (K, K)
        B, whose rows are determined up to their order and scale.

    Notes
    -----
    Minimises ``mean_n [log det diag(B C_n B^T) - log det(B C_n B^T)]`` >= 0, which is zero if all matrices
    are diagonal. It is the negative log-likelihood of independent Gaussian sources whose variances change
    from place to place. With C_n standing for ``B C_n B^T``, a relative step ``B <- (1 + E) B`` changes it by
    ``2 sum_ij G_ij E_ij + sum_ij W_ij E_ij**2 + E_ij E_ji`` to second order, with
    ``G_ij = mean_n C_ij / C_ii`` and ``W_ij = mean_n C_jj / C_ii``. Newton's step therefore solves one pair
    of equations for each pair of sources; it is halved until the criterion falls. Cost: ``K**2 n`` per step,
    five to ten steps.

    References
    ----------
    Pham & Cardoso, "Blind separation of instantaneous mixtures of nonstationary sources", IEEE Trans. Signal
    Process. 49(9), 2001, doi:10.1109/78.942614.
    Ablin, Cardoso & Gramfort, "Beyond Pham's algorithm for joint diagonalization", ESANN 2019,
    arXiv:1811.11433.
    """
    count = covariances.shape[-1]
    basis, turned = np.eye(count), covariances
    value = diagonality(turned)
    for _ in range(MAX_STEPS):
        variances = np.diagonal(turned, axis1=1, axis2=2)  # (n, K)
        gradient = (turned / variances[:, :, None]).mean(axis=0) - np.eye(count)
        if np.abs(gradient).max() < TOLERANCE:
            break
        curvature = (variances[:, None, :] / variances[:, :, None]).mean(axis=0)
        determinant = np.maximum(curvature * curvature.T - 1, LEAST_CURVATURE)
        step = (gradient.T - curvature.T * gradient) / determinant
        np.fill_diagonal(step, 0)
        for halvings in range(20):
            change = np.eye(count) + step / 2**halvings
            candidate = change @ turned @ change.T
            following = diagonality(candidate)
            if following < value:
                break
        else:
            break  # no step improves: converged to machine precision
        basis, turned, value = change @ basis, candidate, following
    return basis


def diagonality(covariances: NDArray) -> float:
    """Return ``mean_n [log det diag C_n - log det C_n]``: 0 for diagonal matrices, else positive."""
    return float(diagonalities(covariances).mean())


def diagonalities(covariances: NDArray) -> NDArray:
    """Return ``log det diag C_n - log det C_n`` of each matrix of (n, K, K): 0 if it is diagonal, else
    positive."""
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    return np.asarray(np.log(variances).sum(axis=1) - np.linalg.slogdet(covariances)[1])
