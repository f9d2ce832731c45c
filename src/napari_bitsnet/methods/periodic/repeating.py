"""Model a slightly displaced periodic pattern: its cell, its spectrum and each pixel's place in the cell."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.methods.periodic.lattices import Lattice

FINER = 1.25
"""Samples of the cell per pixel, along each side."""
LOWEST, RATIO, BANDS = 0.02, 1.5, 9
"""Frequency bands with one colour covariance each: upper edge of the first (cycles per pixel), ratio of
edges, number."""
FLATTEST = 0.004
"""Frequency, in cycles per pixel, below which the initial 1/f amplitude spectrum is constant."""
ROUND = 0.01
"""Fraction of a band's mean variance that is added to all directions of colour."""


class Repeating:
    """Periodic pattern: one cell, sampled at ``u(x) = L⁻¹ (x + d(x))`` with period vectors L, displacement d.

    Parameters
    ----------
    lattice : Lattice
        Period vectors in pixels.
    size : (H, W)
        Size of the image, in pixels.
    channels : int
        Number of channels C.
    like : Tensor
        Tensor that sets the device and the type.
    valid : Tensor of shape (H, W), optional
        1 where pixels are known, 0 where they are missing.

    Attributes
    ----------
    cell : Tensor of shape (C, A, B)
        The pattern, along the first and second period vector.
    displacement : Tensor of shape (2, H, W)
        (dy, dx) in pixels.
    root : Tensor of shape (bands, C, C)
        Square roots of the colour covariances of each frequency band: the prior of the cell.
    """

    def __init__(
        self,
        lattice: Lattice,
        size: tuple[int, int],
        channels: int,
        like: Tensor,
        valid: Tensor | None = None,
    ) -> None:
        self.size, self.channels, self.like = size, channels, like
        self.valid = None if valid is None else valid.reshape(-1)
        matrix = torch.from_numpy(lattice.matrix)
        self.inverse = torch.linalg.inv(matrix)
        self.shape = tuple(max(2, round(FINER * float(length))) for length in matrix.norm(dim=0))
        self.cell = like.new_zeros((channels, *self.shape))
        self.displacement = like.new_zeros((2, *size))
        self.band, self.constant = _bands(self.inverse, self.shape, like)
        self._locate()
        self.root = self._first_spectrum()

    def displace(self, change: Tensor) -> None:
        """Add `change` (2, H, W) to the displacement."""
        self.displacement = self.displacement + change
        self._locate()

    def sample(self, cell: Tensor) -> Tensor:
        """Lay out a cell (C, A, B) as an image (C, H, W), by bilinear interpolation."""
        flat = cell.reshape(len(cell), -1)
        return (flat[:, self.places] * self.shares).sum(dim=1).reshape(-1, *self.size)

    def gather(self, image: Tensor) -> Tensor:
        """Apply the adjoint of `sample` over valid pixels: (C, H, W) to (C, A, B)."""
        values = image.reshape(len(image), 1, -1)
        values = values if self.valid is None else values * self.valid
        spread = (values * self.shares).reshape(len(image), -1)
        cell = image.new_zeros((len(image), self.shape[0] * self.shape[1]))
        return cell.index_add_(1, self.places.reshape(-1), spread).reshape(-1, *self.shape)

    @property
    def image(self) -> Tensor:
        """Return the pattern at the image's pixels, (C, H, W)."""
        return self.sample(self.cell)

    def filter(self, matrices: Tensor, cell: Tensor) -> Tensor:
        """Multiply a cell's colours (C, A, B) by one matrix (bands, C, C) per frequency band."""
        waves = torch.fft.rfft2(cell, norm="ortho")
        mixed = torch.einsum("yxij,jyx->iyx", matrices[self.band].to(waves.dtype), waves)
        return torch.fft.irfft2(mixed, s=self.shape, norm="ortho")

    def learn(self, noise: float) -> None:
        """Estimate the spectrum by one expectation-maximisation step; `noise` is a variance per pixel.

        A band's covariance is the mean over its waves, plus the posterior covariance
        ``S - S (S + noise / N)⁻¹ S`` with N pixels per sample of the cell.
        """
        waves = torch.fft.rfft2(self.cell, norm="ortho")
        eye = torch.eye(self.channels, device=self.cell.device)
        for band in range(len(self.root)):
            inside = self.band == band
            if not bool(inside.any()):
                continue
            x = waves[:, inside]
            before = self.root[band] @ self.root[band].T
            left = before - before @ torch.linalg.inv(before + noise / self.pixels * eye) @ before
            covariance = (x @ x.conj().T).real / x.shape[1]
            if band == self.constant:  # a single wave: its colour is no estimate of a covariance
                covariance = eye * covariance.trace()
            covariance = covariance + left
            covariance = covariance + (ROUND * covariance.trace() / self.channels + 1e-8) * eye
            values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2)
            self.root[band] = vectors @ torch.diag(values.clamp_min(1e-10).sqrt()) @ vectors.T

    def _locate(self) -> None:
        """Find the four cell samples around each pixel, and their bilinear weights: (4, H W) each."""
        height, width = self.size
        grid = torch.stack(
            torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        ).double()  # subtracting whole periods loses digits, hence float64
        place = torch.einsum("ij,jyx->iyx", self.inverse, grid + self.displacement.cpu().double())
        u, v = (place[axis].remainder(1) * self.shape[axis] for axis in (0, 1))
        top, left = u.floor(), v.floor()
        places, shares = [], []
        for i, along_u in enumerate((1 - (u - top), u - top)):
            for j, along_v in enumerate((1 - (v - left), v - left)):
                row, column = (top.long() + i) % self.shape[0], (left.long() + j) % self.shape[1]
                places.append((row * self.shape[1] + column).reshape(-1))
                shares.append((along_u * along_v).reshape(-1))
        self.places = torch.stack(places).to(self.like.device)
        self.shares = torch.stack(shares).to(self.like)
        seen = float(self.size[0] * self.size[1] if self.valid is None else self.valid.sum())
        self.pixels = seen / (self.shape[0] * self.shape[1])

    def _first_spectrum(self) -> Tensor:
        """Return a grey 1/f amplitude spectrum with the energy of a picture of medium contrast."""
        upper = self.like.new_tensor([LOWEST * RATIO**k for k in range(BANDS)])
        middle = torch.cat([upper.new_tensor([FLATTEST]), upper / RATIO**0.5, upper[-1:] * RATIO**0.5])
        amplitude = 1 / middle.clamp_min(FLATTEST)
        power = amplitude[self.band] ** 2 * (self.band != self.constant)
        full = 2 * power.sum() / (self.shape[0] * self.shape[1])
        amplitude = amplitude * (0.05 / full.clamp_min(1e-12)).sqrt()
        return amplitude[:, None, None] * torch.eye(self.channels, device=self.like.device)


def _bands(inverse: Tensor, shape: tuple[int, ...], like: Tensor) -> tuple[Tensor, int]:
    """Return the band of each wave of the cell, (A, B // 2 + 1), and the band of the constant, 0."""
    along = torch.fft.fftfreq(shape[0], dtype=inverse.dtype) * shape[0]
    across = torch.fft.rfftfreq(shape[1], dtype=inverse.dtype) * shape[1]
    waves = torch.stack(torch.meshgrid(along, across, indexing="ij"))
    frequency = torch.einsum("ji,jyx->iyx", inverse, waves).norm(dim=0)
    edges = torch.tensor([1e-6] + [LOWEST * RATIO**k for k in range(BANDS)], dtype=inverse.dtype)
    return torch.bucketize(frequency, edges, right=True).to(like.device), 0
