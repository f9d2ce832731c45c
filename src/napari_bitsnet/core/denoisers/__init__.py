"""Denoisers for regularisation by denoising (RED). A new denoiser is one file in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from napari_bitsnet.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


class Denoiser(Protocol):
    """Callable denoiser without state between calls."""

    def __call__(self, image: Tensor, sigma: float) -> Tensor:
        """Return the denoised image.

        Parameters
        ----------
        image : Tensor of shape (N, C, H, W)
            On the [0, 1] scale; every image and channel is denoised independently.
        sigma : float
            Standard deviation of the noise on that scale, >= 0; 0 returns the image unchanged.

        Returns
        -------
        Tensor of shape (N, C, H, W)
            On the image's device, without gradient.

        Raises
        ------
        ValueError
            If `sigma` or a setting of the denoiser is out of its range.
        """


DENOISERS: Registry[Denoiser] = Registry("denoiser", __name__, "napari_bitsnet.denoisers")
