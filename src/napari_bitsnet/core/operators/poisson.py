"""The Laplacian of images and its inverse: the image that a field of gradients belongs to."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_bitsnet.core.operators.gradient import divergence


class Poisson:
    """The Laplacian ``∇ᵀ∇`` with free borders, which cosine transforms make diagonal.

    Parameters
    ----------
    height, width : int
        Of the images.
    like : Tensor
        Device and type to work in.

    Attributes
    ----------
    eigenvalues : Tensor of shape (H, W)
        Of the Laplacian; 0 for the constant.
    half_waves : Tensor of shape (H, W)
        Frequencies: half waves along the longer side.

    Notes
    -----
    Transforms are products with H x H and W x W matrices: any size, and fast up to about 1000 pixels a side.
    """

    def __init__(self, height: int, width: int, like: Tensor) -> None:
        self._rows, self._columns = (cosine_transform(size).to(like) for size in (height, width))
        y, x = (torch.arange(size, dtype=torch.float64) for size in (height, width))
        longer = max(height, width)
        values = [2 - 2 * torch.cos(math.pi * k / len(k)) for k in (y, x)]
        self.eigenvalues = (values[0][:, None] + values[1]).to(like)
        self.half_waves = torch.hypot((y * longer / height)[:, None], x * longer / width).to(like)

    def filtered(self, image: Tensor, gain: Tensor) -> Tensor:
        """Return images (..., H, W) with each frequency multiplied by `gain` (H, W)."""
        transformed = self._rows @ image @ self._columns.T
        return self._rows.T @ (transformed * gain) @ self._columns

    def solve(self, image: Tensor, *, shift: float) -> Tensor:
        """Return ``(∇ᵀ∇ + shift)⁻¹ image``; `shift` > 0."""
        return self.filtered(image, 1 / (self.eigenvalues + shift))

    def integrate(self, field: Tensor, *, damped: float = 0.0) -> Tensor:
        """Return the images of mean zero whose gradients come closest to a field.

        Parameters
        ----------
        field : Tensor of shape (2, ..., H, W)
            As `gradient` makes them.
        damped : float
            Waves of up to about this many half waves along the longer side are damped, as errors of the
            field add up there: by ``k⁴ / (k⁴ + damped⁴)``.
        """
        power = self.half_waves**4
        gain = power / (power + damped**4) / self.eigenvalues
        gain[0, 0] = 0
        return self.filtered(-divergence(field), gain)


def cosine_transform(size: int) -> Tensor:
    """Orthonormal cosine transform (DCT-II) as a matrix, one frequency a row."""
    k, i = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi * k * (i + 0.5) / size) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix
