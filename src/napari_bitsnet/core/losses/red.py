"""Regularisation by denoising (RED, BITS-Net eq. 5)."""

from __future__ import annotations

from torch import Tensor


def red_energy(image: Tensor, denoised: Tensor) -> Tensor:
    """How much a denoiser would still change an image, along the image.

    ``rho(x) = x^T (x - f(x)) / 2``, here as a mean over entries.

    Parameters
    ----------
    image : Tensor
        x, any shape, on the [0, 1] scale.
    denoised : Tensor of the same shape
        f(x).

    Returns
    -------
    Tensor of shape ()
        Dimensionless; 0 where the denoiser changes nothing.

    Notes
    -----
    Its gradient is ``x - f(x)`` (over the number of entries) if f is homogeneous, f(cx) = c f(x), with a symmetric
    Jacobian; then it is also non-negative if f is never expansive. Non-local means is neither exactly, so
    that RED with it is a heuristic.

    References
    ----------
    Romano, Elad & Milanfar, "The Little Engine That Could: Regularization by Denoising (RED)", SIAM J. Imaging
    Sciences 10(4), 2017, doi:10.1137/16M1102884.
    """
    return 0.5 * (image * (image - denoised)).mean()
