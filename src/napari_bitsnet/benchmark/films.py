"""Films of two photographs that move against each other, half and half: how good answers are, and how restless."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.benchmark.case import Case, Maker
from napari_bitsnet.data.photographs import bundled_photograph

PAIRS = [("astronaut", "coffee"), ("chelsea", "rocket"), ("coffee", "chelsea"), ("astronaut", "retina")]
"""Photographs of `skimage.data` that pass before each other."""
FRAMES = 8
STEP = (1.0, 2.0)
"""How far the first photograph moves from frame to frame, (y, x) in pixels; the second moves the other way."""


def film_cases(size: int = 256, n: int = 4) -> Iterator[Maker]:
    """Yield films of up to `n` pairs, first as stacks, then to be run frame by frame."""
    for group, apart in (("film", False), ("film, frame by frame", True)):
        for first, second in PAIRS[:n]:
            yield group, partial(film_case, first, second, size, group, apart=apart)


def film_case(first: str, second: str, size: int, group: str = "film", *, apart: bool = False) -> Case:
    """Return a film (T, Y, X, C) of two bundled photographs; frames are what a moving window of `size` shows."""
    truths = np.stack(
        [passing(first, size, STEP), passing(second, size, (-STEP[0], -STEP[1]))], dtype=np.float32
    )
    truths /= 2
    return Case(
        f"{first} + {second}",
        group,
        "separate",
        truths.sum(axis=0),
        truths,
        options={"low": 0.0, "high": 1.0, "axes": "TYXC"},
        lo=0.0,
        hi=1.0,
        apart=apart,
    )


def passing(name: str, size: int, step: tuple[float, float], frames: int = FRAMES) -> NDArray:
    """Windows (T, Y, X, C) of a bundled photograph that is half as large again, moved by `step` (y, x) from one to the next.

    Raises
    ------
    ValueError
        If the photograph would move out of the windows.
    """
    image = bundled_photograph(name, size * 3 // 2)
    places = (len(image) - size) / 2 - np.outer(np.arange(frames) - (frames - 1) / 2, step)
    corners = np.floor(places).astype(int)
    if corners.min() < 0 or corners.max() > len(image) - size:
        raise ValueError(
            f"Expected a size that a motion of {step} pixels in {frames} frames fits into, got {size}: make it larger."
        )
    return np.stack([image[y : y + size, x : x + size] for y, x in corners])


def flicker(estimates: NDArray, truths: NDArray) -> float:
    """Root mean square of how errors change from frame to frame.

    Parameters
    ----------
    estimates, truths : ndarray of shape (K, T, ...)
        In the same order and unit.

    Notes
    -----
    ``rms((y_t - y_{t-1}) - (x_t - x_{t-1}))`` with y estimated and x true: motion is no flicker, nor is an error that stays.
    """
    change = np.diff(np.asarray(estimates, dtype=float) - truths, axis=1)
    return float(np.sqrt(np.nanmean(change**2)))
