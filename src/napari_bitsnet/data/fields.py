"""Random fields and warps for the simulators."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grid(size: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """Return coordinates (y, x) of the pixel centres, from 0 to 1 along each side."""
    y, x = np.mgrid[: size[0], : size[1]]
    return (y + 0.5) / size[0], (x + 0.5) / size[1]


def smooth_field(
    rng: np.random.Generator, size: tuple[int, int], length: float | tuple[float, float]
) -> NDArray:
    """Draw a Gaussian random field of mean 0 and standard deviation 1.

    Parameters
    ----------
    rng : Generator
        Source of all randomness.
    size : (Y, X)
        Pixels.
    length : float or (float, float)
        Standard deviation, in pixels, of the Gaussian that smooths white noise; along y and x if two.

    Returns
    -------
    ndarray of shape (Y, X)
    """
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.standard_normal(size), length, mode="reflect", truncate=3)
    return (field - field.mean()) / max(float(field.std()), 1e-12)


def fractal_field(rng: np.random.Generator, size: tuple[int, int], exponent: float = 1.5) -> NDArray:
    """Draw a field of mean 0 and standard deviation 1 whose amplitudes fall as 1 / frequency**exponent."""
    rows, columns = size
    frequency = np.hypot(np.fft.fftfreq(2 * rows)[:, None], np.fft.rfftfreq(2 * columns)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((2 * rows, 2 * columns))) / frequency**exponent
    field = np.fft.irfft2(spectrum, s=(2 * rows, 2 * columns))[:rows, :columns]
    return (field - field.mean()) / field.std()


def streaks(image: NDArray, angle: NDArray, length: int) -> NDArray:
    """Average an image along a direction field (line integral convolution).

    Parameters
    ----------
    image : ndarray of shape (Y, X)
        Noise image that becomes strokes.
    angle : ndarray of shape (Y, X)
        Direction in radians, 0 along x.
    length : int
        Number of pixels on either side that are averaged.
    """
    from scipy.ndimage import map_coordinates

    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(float)
    dy, dx = np.sin(angle), np.cos(angle)
    total = image.astype(float).copy()
    for step in range(1, length + 1):
        for sign in (-step, step):
            total += map_coordinates(image, [y + sign * dy, x + sign * dx], order=1, mode="reflect")
    return total / (2 * length + 1)


def displace(image: NDArray, dy: NDArray, dx: NDArray) -> NDArray:
    """Sample an image at displaced coordinates, by cubic splines: ``out(y, x) = image(y + dy, x + dx)``.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C)
        Any values; the border is repeated.
    dy, dx : ndarrays of shape (Y, X)
        Displacement in pixels.
    """
    from scipy.ndimage import map_coordinates

    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    planes = image[..., None] if image.ndim == 2 else image
    moved = [
        map_coordinates(planes[..., c], [y + dy, x + dx], order=3, mode="nearest")
        for c in range(planes.shape[-1])
    ]
    return np.stack(moved, axis=-1).reshape(image.shape)


def displacement(
    rng: np.random.Generator, size: tuple[int, int], magnitude: float, *, kind: str = "smooth"
) -> tuple[NDArray, NDArray]:
    """Draw the misregistration of one photograph.

    Parameters
    ----------
    rng : Generator
        Source of all randomness.
    size : (Y, X)
        Pixels.
    magnitude : float
        Root mean square displacement, in pixels; 0 gives no displacement.
    kind : {"smooth", "rigid"}
        ``"rigid"`` is one shift for the whole panel. ``"smooth"`` varies over it, as after manual
        registration or for a warped panel: a shift with two thirds of the energy, plus a field with a
        correlation length of a fifth of the image.

    Returns
    -------
    dy, dx : ndarrays of shape (Y, X)

    Raises
    ------
    ValueError
        If `kind` is unknown.
    """
    if kind not in ("smooth", "rigid"):
        raise ValueError(f'Expected misregistration of kind "smooth" or "rigid", got {kind!r}.')
    direction = rng.uniform(0, 2 * np.pi)
    dy, dx = np.full(size, np.sin(direction)), np.full(size, np.cos(direction))
    if kind == "smooth":
        length = (size[0] / 5, size[1] / 5)
        dy = dy + 0.5 * smooth_field(rng, size, length)
        dx = dx + 0.5 * smooth_field(rng, size, length)
    scale = magnitude / np.sqrt(np.mean(dy**2 + dx**2))
    return dy * scale, dx * scale
