"""Load the photographs in scikit-image's wheel, and draw procedural images with similar statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.fields import fractal_field, grid, smooth_field

BUNDLED = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle", "retina", "hubble", "ihc")
"""Names of colour photographs in scikit-image's wheel, which need no download."""
BUNDLED_GREY = ("camera", "coins", "moon", "brick", "grass", "gravel")
"""Grey ones."""
N_SHAPES = 130
"""Shapes of a picture, which then has no bare background."""


def bundled_photograph(name: str, size: int | tuple[int, int] = 256) -> NDArray:
    """Load a photograph that is installed with scikit-image, cropped centrally and resized.

    Parameters
    ----------
    name : str
        One of `BUNDLED` (colour) or `BUNDLED_GREY`.
    size : int or (Y, X)
        Pixels.

    Returns
    -------
    ndarray of shape (Y, X, 3) or (Y, X)
        float64 in [0, 1].

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    from skimage import data

    special = {
        "motorcycle": lambda: data.stereo_motorcycle()[0],
        "hubble": data.hubble_deep_field,
        "ihc": data.immunohistochemistry,
    }
    if name not in BUNDLED + BUNDLED_GREY:
        raise ValueError(f"Unknown photograph {name!r}. Known: {', '.join(BUNDLED + BUNDLED_GREY)}.")
    image = special[name]() if name in special else getattr(data, name)()
    return fit(image, size)


def fit(image: NDArray, size: int | tuple[int, int]) -> NDArray:
    """Crop an image centrally to an aspect ratio and resize it.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C)
        uint8, or real numbers in [0, 1].
    size : int or (Y, X)
        Size of the result, in pixels.

    Returns
    -------
    ndarray of shape (*size,) or (*size, C), float64 in [0, 1]
    """
    from skimage.transform import resize

    shape = (size, size) if isinstance(size, int) else size
    values = np.asarray(image, dtype=float) / (255.0 if image.dtype == np.uint8 else 1.0)
    zoom = min(values.shape[0] / shape[0], values.shape[1] / shape[1])
    rows, columns = round(shape[0] * zoom), round(shape[1] * zoom)
    top, left = (values.shape[0] - rows) // 2, (values.shape[1] - columns) // 2
    window = values[top : top + rows, left : left + columns]
    return np.clip(resize(window, (*shape, *values.shape[2:]), anti_aliasing=zoom > 1), 0, 1)


def photograph(seed: int, size: int | tuple[int, int] = 256) -> NDArray:
    """Draw an image with the statistics of photographs: occluding, shaded, textured shapes of all sizes.

    Parameters
    ----------
    seed : int
        The same seed gives the same image.
    size : int or (Y, X)
        Pixels.

    Returns
    -------
    ndarray of shape (Y, X, 3), float64 in [0, 1]

    References
    ----------
    The "dead leaves" model: Lee, Mumford & Huang, "Occlusion models for natural images", IJCV 41, 2001,
    doi:10.1023/A:1011109015675.
    Departure: shapes are shaded, textured and few of them are tiny.
    """
    rng = np.random.default_rng(seed)
    shape = (size, size) if isinstance(size, int) else size
    y, x = grid(shape)
    y, x = y * shape[0] / min(shape), x * shape[1] / min(shape)
    hues = rng.uniform(0.15, 0.9, (5, 1)) + 0.12 * rng.standard_normal((5, 3))  # mostly muted colours
    textures = [fractal_field(rng, shape, e) for e in (0.7, 1.0, 1.4)]
    textures += [smooth_field(rng, shape, (0.8, 8)), smooth_field(rng, shape, (8, 0.8))]
    light = rng.uniform(0, 2 * np.pi)
    image = hues[0] * (0.7 + 0.5 * y[..., None]) + 0.05 * textures[2][..., None]
    radii = np.sort((rng.uniform(0.4**-1.5, 0.03**-1.5, N_SHAPES)) ** (-1 / 1.5))[::-1]
    radii = np.where(
        np.arange(N_SHAPES) % 4 == 0, rng.permutation(radii), radii
    )  # some large shapes in front
    for radius in radii:
        centre = rng.uniform(-0.05, 1.05, 2) * np.array(shape) / min(shape)
        turn, stretch = rng.uniform(0, np.pi), rng.uniform(0.4, 1.0)
        u = (y - centre[0]) * np.cos(turn) - (x - centre[1]) * np.sin(turn)
        v = ((y - centre[0]) * np.sin(turn) + (x - centre[1]) * np.cos(turn)) / stretch
        power = rng.choice([2.0, 2.0, 3.0, 12.0])  # ellipses to boxes
        distance = (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power) / radius
        reach = 1 + 0.06 * textures[2] * rng.uniform(0, 1)
        blur = rng.choice([0.7, 1.0, 2.5]) / (radius * min(shape) * stretch)  # in or out of focus
        cover = np.clip((reach - distance) / blur + 0.5, 0, 1)
        if not cover.any():
            continue
        colour = np.clip(hues[rng.integers(5)] * rng.uniform(0.4, 1.5) + 0.04 * rng.standard_normal(3), 0, 1)
        slope = (np.sin(light) * (y - centre[0]) + np.cos(light) * (x - centre[1])) / radius
        round_off = rng.uniform(0, 0.5) * np.clip(distance, 0, 1) ** 2
        texture = textures[rng.integers(5)] * rng.uniform(0.0, 0.16)
        shade = 1 + rng.uniform(0, 0.35) * slope - round_off + texture
        shadow = 0.35 * np.clip(1.25 - distance, 0, 0.25) / 0.25
        image *= 1 - shadow[..., None]
        image += cover[..., None] * (shade[..., None] * colour - image)
    image = image - np.quantile(image, 0.005)
    return np.clip(image / np.quantile(image, 0.995), 0, 1)
