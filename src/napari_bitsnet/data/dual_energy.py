"""Simulate dual-energy radiographs of a chest: soft tissue and bone at two X-ray energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.fields import fractal_field, grid

ATTENUATION = ((0.24, 0.79), (0.18, 0.41))
"""Attenuation of soft tissue and cortical bone, per cm, at about 60 and 120 keV: one row per energy."""
FULL = 60_000.0
"""Mean grey level of the detector without an object."""


@dataclass(frozen=True)
class DualEnergy:
    """Two radiographs of one object at two energies.

    Parameters
    ----------
    radiographs : ndarray of shape (2, Y, X)
        Transmitted intensities, uint16; the lower energy first.
    thickness : ndarray of shape (2, Y, X)
        Soft tissue and bone in cm, float32: the true sources.
    attenuation : ndarray of shape (2, 2)
        Per cm; ``-log(radiographs[e] / i0) = sum_k attenuation[e, k] thickness[k]`` plus noise.
    i0 : float
        Intensity without an object.
    """

    radiographs: NDArray
    thickness: NDArray
    attenuation: NDArray
    i0: float


def simulate_dual_energy(seed: int, size: int | tuple[int, int] = 256, *, noise: float = 0.01) -> DualEnergy:
    """Draw a chest (lungs, heart, vessels; spine, ribs, collar bones) and simulate two radiographs of it.

    Parameters
    ----------
    seed : int
        The same seed gives the same chest and noise.
    size : int or (Y, X)
        Pixels.
    noise : float
        Relative standard deviation of the intensity without an object. It grows as ``1 / sqrt(intensity)``,
        as in photon counting.
    """
    rng = np.random.default_rng(seed)
    shape = (size, size) if isinstance(size, int) else size
    y, x = grid(shape)
    soft, bone = _soft_tissue(rng, shape, y, x), _bones(rng, shape, y, x)
    thickness = np.stack([np.clip(soft - 0.6 * bone, 0, None), bone])
    attenuation = np.array(ATTENUATION)
    passed = np.exp(-np.tensordot(attenuation, thickness, axes=1))
    noisy = passed + noise * np.sqrt(passed) * rng.standard_normal(passed.shape)
    radiographs = np.clip(np.round(FULL * noisy), 1, 65_534).astype(np.uint16)
    return DualEnergy(radiographs, thickness.astype(np.float32), attenuation, FULL)


def _soft_tissue(rng: np.random.Generator, shape: tuple[int, int], y: NDArray, x: NDArray) -> NDArray:
    """Return the thickness of soft tissue in cm: a trunk, lungs of air with vessels, a heart."""
    trunk = 9.0 * np.sqrt(np.clip(1 - ((x - 0.5) / 0.48) ** 2, 0, None)) * (0.9 + 0.2 * y)
    texture = fractal_field(rng, shape, 2.0)
    vessels = np.clip(fractal_field(rng, shape, 0.8), 0, None)
    air = np.zeros(shape)
    for side in (-1, 1):
        centre = 0.5 + side * rng.uniform(0.2, 0.23)
        inside = _soft_step(1 - np.hypot((y - 0.5) / 0.36, (x - centre) / 0.15) + 0.04 * texture, 0.08)
        air += inside * (5.0 - 0.8 * vessels)
    heart = _soft_step(1 - np.hypot((y - 0.62) / 0.17, (x - 0.55) / 0.15), 0.1)
    return np.clip(trunk * (1 + 0.02 * texture) - air * (1 - 0.8 * heart) + 1.5 * heart, 0, None)


def _bones(rng: np.random.Generator, shape: tuple[int, int], y: NDArray, x: NDArray) -> NDArray:
    """Return the thickness of bone in cm: a spine of vertebrae, ribs with denser rims, collar bones."""
    vertebra = 0.75 + 0.25 * np.cos(2 * np.pi * (y * 11 + rng.uniform()))
    spine = 1.3 * vertebra * _soft_step(0.045 - np.abs(x - 0.5), 0.008)
    bone = spine
    for side in (-1, 1):
        away = side * (x - 0.5)
        for k in range(8):
            middle = 0.08 + 0.105 * k + 0.9 * away * (0.42 - away) + rng.uniform(-0.006, 0.006)
            across = np.abs(y - middle) / 0.016
            rib = _soft_step(1 - across, 0.2) * (0.35 + 0.3 * np.clip(across, 0, 1) ** 4)
            bone = bone + rib * _soft_step(away - 0.03, 0.01) * _soft_step(0.44 - away, 0.02)
        collar = np.abs(y - 0.075 - 0.12 * away) / 0.014
        bone = bone + 0.6 * _soft_step(1 - collar, 0.2) * _soft_step(away - 0.04, 0.01)
    grain = 1 + 0.06 * fractal_field(rng, shape, 0.6)
    return np.clip(bone * grain, 0, None)


def _soft_step(value: NDArray, width: float) -> NDArray:
    """Return a smooth step from 0 to 1 where `value` passes 0, about `width` wide."""
    return np.clip(value / width + 0.5, 0, 1)
