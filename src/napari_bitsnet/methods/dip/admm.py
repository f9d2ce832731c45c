"""ADMM for a generator with regularisation by denoising (BITS-Net eqs. 8 to 11, scaled form).

The problem ``min L_1(y) + lam * rho(z)  subject to  z = y`` with y the generators' images, z (the paper's ỹ)
the split variable and u the scaled dual. All terms are means over entries where the paper prints sums, so
that their balance does not depend on the image's size.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_bitsnet.core.losses.reconstruction import l2_loss


def coupling_loss(z: Tensor, y: Tensor, u: Tensor, *, mu: float, valid: Tensor | None = None) -> Tensor:
    """Return the augmented term of eq. 9: ``mu / 2 * mean((z - y - u)**2)``.

    Parameters
    ----------
    z, y, u : Tensor of shape (K, C, H, W)
        Split variable, generators' images, scaled dual.
    mu : float
        Penalty, > 0.
    valid : Tensor of shape (1, 1, H, W), optional
        bool; False for pixels that are left out.

    Returns
    -------
    Tensor of shape ()
        Dimensionless. A mean over all sources; the paper adds one term for each source.
    """
    return 0.5 * mu * l2_loss(y, z - u, valid)


def denoising_step(denoised: Tensor, y: Tensor, u: Tensor, *, lam: float, mu: float) -> Tensor:
    """Return z after one fixed-point step of RED, eq. 10: ``(lam * f(z) + mu * (y + u)) / (lam + mu)``.

    Parameters
    ----------
    denoised : Tensor
        f(z) of the current z.
    y, u : Tensor of the same shape
        Generators' images and scaled dual.
    lam, mu : float
        Weight of RED, >= 0, and penalty, > 0.
    """
    return (lam * denoised + mu * (y + u)) / (lam + mu)


def dual_step(u: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Return the updated scaled dual, eq. 11: ``u + y - z``."""
    return u + y - z


class RedAdmm:
    """The split and dual variables of all sources, in one or several copies.

    Parameters
    ----------
    first : Tensor of shape (K, C, H, W)
        z before the first step; u starts at 0.
    denoiser : callable (image, sigma) -> Tensor
        f.
    lam, mu, sigma : float
        See `denoising_step`; noise level handed to the denoiser, on the [0, 1] scale.
    every : int
        Number of steps after which f(z) is computed again.
    n_copies : int
        Number of pairs (z, u): 1, or one for each orientation as in the released code, in which a step
        changes only the pair of its orientation.

    Notes
    -----
    Copies are upright, because flips and quarter turns commute with the denoisers. f(z) is computed when a
    copy is first used in a block. The released code denoises all copies at the start of the block and gets
    the same values with about nine times the calls, because only its own use changes a copy.
    """

    def __init__(
        self,
        first: Tensor,
        denoiser: Callable[[Tensor, float], Tensor],
        *,
        lam: float,
        mu: float,
        sigma: float,
        every: int = 1,
        n_copies: int = 1,
    ) -> None:
        self.denoiser, self.lam, self.mu, self.sigma, self.every = denoiser, lam, mu, sigma, every
        self.z = first.detach().clone().repeat(n_copies, 1, 1, 1, 1)
        self.u = torch.zeros_like(self.z)
        self.denoised = self.z.clone()
        self._block = [-1] * n_copies

    def follow(self, earlier: RedAdmm) -> None:
        """Copy the variables of the previous slice, which has the same size."""
        self.z, self.u, self.denoised = earlier.z.clone(), earlier.u.clone(), earlier.denoised.clone()

    def coupling(self, y: Tensor, copy: int = 0, valid: Tensor | None = None) -> Tensor:
        """Return the augmented term of eq. 9 for the images y (K, C, H, W), which the generators minimise."""
        return coupling_loss(self.z[copy], y, self.u[copy], mu=self.mu, valid=valid)

    @torch.no_grad()
    def refresh(self, step: int, copy: int = 0) -> None:
        """Compute f(z) if this is the first use of a copy in the block of `step` (from 0)."""
        if self._block[copy] != step // self.every:
            self.denoised[copy] = self.denoiser(self.z[copy], self.sigma)
            self._block[copy] = step // self.every

    @torch.no_grad()
    def update(self, y: Tensor, step: int, copy: int = 0) -> None:
        """Apply eqs. 10 and 11 after the step of the generators.

        Parameters
        ----------
        y : Tensor of shape (K, C, H, W)
            The generators' images.
        step : int
            Counted from 0.
        copy : int
            Index of the pair.

        Notes
        -----
        As in the released code, z is clipped to [0, 1] and u is not.
        """
        self.refresh(step, copy)
        u = self.u[copy]
        z = denoising_step(self.denoised[copy], y, u, lam=self.lam, mu=self.mu).clamp(0, 1)
        self.u[copy] = dual_step(u, y, z)
        self.z[copy] = z
