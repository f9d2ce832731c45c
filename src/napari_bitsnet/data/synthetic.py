"""Simulate mixtures with known sources from a seed, for the demo, samples, tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bitsnet.data.fields import fractal_field, grid, smooth_field
from napari_bitsnet.data.photographs import photograph


@dataclass(frozen=True)
class Mixed:
    """Mixtures with their sources and weights.

    Parameters
    ----------
    mixtures : ndarray of shape (M, Y, X) or (M, Y, X, C)
        uint8 or uint16; float32 in [0, 1] without rounding.
    sources : ndarray of shape (K, Y, X) or (K, Y, X, C)
        Whole images, float32, in grey levels of the mixtures.
    weights : ndarray of shape (M, K)
        Without noise and rounding, ``mixtures[m] = sum_k weights[m, k] * sources[k]``.
    """

    mixtures: NDArray
    sources: NDArray
    weights: NDArray

    @property
    def shares(self) -> NDArray:
        """Return the contribution of each source to the first mixture: (K, Y, X[, C])."""
        return self.sources * self.weights[0].reshape(-1, *[1] * (self.sources.ndim - 1)).astype(np.float32)


def mix(images: ArrayLike, weights: ArrayLike, *, bits: int = 8, noise: float = 0.0, seed: int = 0) -> Mixed:
    """Superimpose images with known weights.

    Parameters
    ----------
    images : array of shape (K, Y, X) or (K, Y, X, C)
        In [0, 1].
    weights : array of shape (M, K)
        One row per mixture.
    bits : {8, 16, 0}
        Depth of the mixtures; 0 leaves float32 on [0, 1].
    noise : float
        Standard deviation of Gaussian noise on each mixture, on the [0, 1] scale.
    seed : int
        Seed of the noise.

    Raises
    ------
    ValueError
        If the number of weights differs from the number of images, or the depth is not supported.
    """
    images, weights = np.asarray(images, dtype=float), np.atleast_2d(np.asarray(weights, dtype=float))
    if weights.shape[1] != len(images):
        raise ValueError(f"Expected one weight for each of {len(images)} images, got {weights.shape[1]}.")
    if bits not in (0, 8, 16):
        raise ValueError(f"Expected 16 or 8 bits, or 0 for float32, got {bits}.")
    mixtures = np.tensordot(weights, images, axes=1)
    if noise > 0:
        mixtures = mixtures + noise * np.random.default_rng(seed).standard_normal(mixtures.shape)
    full = 2**bits - 1 if bits else 1
    if bits:
        mixtures = np.clip(np.round(full * mixtures), 0, full)
    kind = {0: np.float32, 8: np.uint8, 16: np.uint16}[bits]
    return Mixed(mixtures.astype(kind), (full * images).astype(np.float32), weights)


def photograph_mixture(
    seed: int, size: int | tuple[int, int] = 256, *, bits: int = 8, noise: float = 0.0
) -> Mixed:
    """Mix two procedural photographs with equal weights."""
    pair = [photograph(2 * seed, size), photograph(2 * seed + 1, size)]
    return mix(pair, [[0.5, 0.5]], bits=bits, noise=noise, seed=seed)


def photograph_mixtures(
    seed: int,
    size: int | tuple[int, int] = 256,
    *,
    weights: ArrayLike = ((0.72, 0.28), (0.45, 0.55)),
    bits: int = 8,
    noise: float = 0.0,
) -> Mixed:
    """Mix procedural photographs: one photograph per column of `weights`, one mixture per row."""
    count = np.atleast_2d(np.asarray(weights)).shape[1]
    return mix(
        [photograph(count * seed + k, size) for k in range(count)], weights, bits=bits, noise=noise, seed=seed
    )


def texture_mixture(seed: int, size: int | tuple[int, int] = 256, *, bits: int = 8) -> Mixed:
    """Mix two periodic textures, a pattern of tiles and a weave, with equal weights."""
    return mix(periodic_textures(seed, size), [[0.5, 0.5]], bits=bits)


def periodic_textures(seed: int, size: int | tuple[int, int] = 256) -> NDArray:
    """Draw two textures that repeat on different lattices.

    Parameters
    ----------
    seed : int
        The same seed gives the same textures.
    size : int or (Y, X)
        Pixels.

    Returns
    -------
    ndarray of shape (2, Y, X, 3), float64 in [0, 1]
    """
    rng = np.random.default_rng(seed)
    shape = (size, size) if isinstance(size, int) else size
    textures = []
    for slant in (0.0, 0.5):
        period = rng.uniform(0.09, 0.16, 2) * min(shape)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
        row = np.floor(y / period[0])
        u, v = (y / period[0]) % 1, (x / period[1] + slant * row) % 1
        colours = rng.uniform(0.15, 0.9, (3, 3))
        tile = np.clip(12 * (0.42 - np.maximum(np.abs(u - 0.5), np.abs(v - 0.5))), 0, 1)
        spot = np.clip(
            10 * (0.25 - np.hypot(u - 0.5, v - 0.5) * (1 + 0.3 * np.cos(3 * np.arctan2(u - 0.5, v - 0.5)))),
            0,
            1,
        )
        image = colours[0] + tile[..., None] * (colours[1] * (0.8 + 0.4 * u[..., None]) - colours[0])
        image = image + spot[..., None] * (colours[2] - image)
        textures.append(np.clip(image + 0.015 * fractal_field(rng, shape, 0.8)[..., None], 0, 1))
    return np.array(textures)


def head_volume(seed: int, slices: int = 24, size: int | tuple[int, int] = 256) -> NDArray:
    """Draw a volume that looks like a magnetic resonance image of a head (T1 contrast).

    Parameters
    ----------
    seed : int
        The same seed gives the same volume.
    slices : int
        Number of slices Z.
    size : int or (Y, X)
        Pixels of a slice.

    Returns
    -------
    ndarray of shape (Z, Y, X), float32 in [0, 1]
        Scalp, skull, folded grey matter, white matter, ventricles, with a bias field and noise.
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    shape = (size, size) if isinstance(size, int) else size
    y, x = grid(shape)
    height = np.linspace(-0.55, 0.75, slices)[:, None, None]
    scale = min(shape) / 256
    folds = gaussian_filter(rng.standard_normal((slices, *shape)), (1.5, 4 * scale, 4 * scale))
    folds /= folds.std()
    radius = np.sqrt(((y - 0.5) / 0.46) ** 2 + ((x - 0.5) / 0.38) ** 2 + height**2)
    radius = radius * (
        1 + 0.015 * gaussian_filter(rng.standard_normal((slices, *shape)), (2, 20 * scale, 20 * scale))
    )

    def inside(level: NDArray | float) -> NDArray:
        return np.clip((level - radius) * 60 * scale + 0.5, 0, 1)

    image = 0.75 * inside(1.0)  # scalp
    for level, value in ((0.94, 0.08), (0.87, 0.18)):  # skull, fluid around the brain
        image += inside(level) * (value - image)
    image += inside(0.85 - 0.05 * np.clip(folds, 0, None)) * (0.45 - image)  # grey matter
    gyri = inside(0.72 + 0.09 * folds)
    image += gyri * (0.7 - image)
    fissure = np.clip(1.5 - np.abs(x - 0.5) * min(shape) / scale / 2, 0, 1) * inside(0.86)
    image = image + fissure * (0.15 - image)
    for side in (-1, 1):
        u, v = (y - 0.48) / 0.13, (x - 0.5 - side * (0.05 + 0.25 * (y - 0.42))) / 0.028
        ventricle = np.clip((1 - np.sqrt(u**2 + v**2 + (2 * height - 0.1) ** 2)) * 12 * scale + 0.5, 0, 1)
        image += ventricle * (0.12 - image)
    bias = 1 + 0.08 * smooth_field(rng, shape, min(shape) / 4)
    noisy = image * bias + 0.015 * rng.standard_normal(image.shape)
    return np.clip(gaussian_filter(noisy, (0, 0.5, 0.5)), 0, 1).astype(np.float32)


def slice_mixture(seed: int, size: int | tuple[int, int] = 256, *, bits: int = 16) -> Mixed:
    """Mix two distant slices of a head volume with equal weights, like a thick slice or a projection."""
    volume = head_volume(seed, 8, size)
    return mix(volume[[2, 5]], [[0.5, 0.5]], bits=bits)
