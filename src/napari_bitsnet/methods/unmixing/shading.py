"""Smooth weight of each mixture, such as the vignetting of a lens, estimated from the mixtures alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_bitsnet.methods.unmixing.joint_diagonalisation import diagonalities
from napari_bitsnet.methods.unmixing.windows import (
    Model,
    Windows,
    held_out_gains,
    probability,
    unmixed,
    windows_of,
)

SIGNIFICANT = 0.005
"""Probability, with even mixtures, of held-out blocks that gain by a shading as much as these do."""
STEPS = 60
"""Quasi-Newton steps of the fit."""


def estimate_shading(
    observations: Tensor,
    n_sources: int,
    *,
    valid: Tensor | None = None,
    window: int = 5,
    smoothing: float = 0.0,
) -> Tensor | None:
    """Return a smooth factor of each mixture, or None where none explains held-out blocks significantly
    better.

    Parameters
    ----------
    observations : Tensor of shape (M, C, H, W)
        The mixtures on the [0, 1] scale.
    n_sources : int
        K; a shading is only estimated for as many mixtures as sources.
    valid : Tensor of shape (1, 1, H, W), optional
        bool, False where pixels are missing.
    window : int
        Side of the windows in pixels.
    smoothing : float
        Standard deviation, in pixels, of a Gaussian filter that is applied first.

    Returns
    -------
    Tensor of shape (M, 1, H, W) or None
        v, 1 in the middle of the image; the mixtures divided by it mix with weights that are the same
        everywhere.

    Notes
    -----
    ``I_m(x) = v_m(x) sum_k W_mk t_k(x)`` with ``log v_m`` a polynomial of degree two. In a small window the
    gradients' covariance is ``V W diag(v) W^T V``, so that the criterion of `joint_diagonaliser` is minimised
    over B = W^-1 and the polynomials together. It is accepted if it describes blocks that it was not fitted
    to better (one-sided t-test). A shading that all mixtures share belongs to the sources, as nothing tells
    it from them: the mixture that falls off least towards the borders counts as even.
    """
    if n_sources != len(observations):
        return None
    data = windows_of(observations, n_sources, valid=valid, window=window, smoothing=smoothing)
    gains = held_out_gains(unmixed, shaded, data)
    if probability(gains) >= SIGNIFICANT:
        return None
    _, coefficients = _fit(data)
    height, width = observations.shape[-2:]
    y, x = ((np.arange(size) + 0.5) / size * 2 - 1 for size in (height, width))
    places = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    logarithms = np.moveaxis(_monomials(places) @ coefficients.T, -1, 0)  # (M, H, W)
    edge = [np.concatenate([each[[0, -1]].ravel(), each[:, [0, -1]].ravel()]).mean() for each in logarithms]
    logarithms = logarithms - logarithms[int(np.argmax(edge))]
    return torch.from_numpy(np.exp(logarithms)).to(observations)[:, None]


def shaded(windows: Windows) -> Model:
    """Fit one B and a shading of each mixture to all windows."""
    basis, coefficients = _fit(windows)

    def model(others: Windows) -> NDArray:
        even = np.exp(-_monomials(others.places) @ coefficients.T)  # (n, M)
        return diagonalities(basis @ (even[:, :, None] * others.moments * even[:, None, :]) @ basis.T)

    return model


def _monomials(places: NDArray) -> NDArray:
    """Return x, y, x², x y and y² of places (…, 2), along a last axis."""
    y, x = places[..., 0], places[..., 1]
    return np.stack([x, y, x * x, x * y, y * y], axis=-1)


def _fit(windows: Windows) -> tuple[NDArray, NDArray]:
    """Return B (M, M) and the coefficients of the polynomials (M, 5), the first mixture's being 0."""
    moments, terms = torch.from_numpy(windows.moments), torch.from_numpy(_monomials(windows.places))
    basis = torch.from_numpy(windows.diagonaliser())
    basis = (basis / basis.norm(dim=1, keepdim=True)).requires_grad_(True)
    others = torch.zeros(moments.shape[-1] - 1, terms.shape[1], dtype=torch.float64, requires_grad=True)
    volume = torch.logdet(moments).mean()
    search = torch.optim.LBFGS(
        [basis, others],
        max_iter=STEPS,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_change=1e-10,
    )

    def criterion() -> Tensor:
        search.zero_grad()
        logarithms = torch.cat([terms.new_zeros(len(terms), 1), terms @ others.T], dim=1)
        even = torch.exp(-logarithms)
        variances = torch.einsum("km,nm,nml,nl,kl->nk", basis, even, moments, even, basis)
        spread = torch.log(variances).sum(dim=1) + 2 * logarithms.sum(dim=1)
        found: Tensor = spread.mean() - volume - 2 * torch.linalg.slogdet(basis)[1]
        found.backward()
        return found

    with torch.enable_grad():
        search.step(criterion)
    coefficients = torch.cat([torch.zeros_like(others[:1]), others]).detach().numpy()
    return basis.detach().numpy(), coefficients
