"""Films of two photographs that move against each other, half and half: how good answers are, and how
restless."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cases import Maker
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.films import STEP, passing

PAIRS = [("astronaut", "coffee"), ("chelsea", "rocket"), ("coffee", "chelsea"), ("astronaut", "retina")]
"""Photographs of `skimage.data` that pass before each other."""


def film_cases(size: int = 256, n: int = 4) -> Iterator[Maker]:
    """Yield films of up to `n` pairs, first as stacks, then to be run frame by frame."""
    for group, apart in (("film", False), ("film, frame by frame", True)):
        for first, second in PAIRS[:n]:
            yield group, partial(film_case, first, second, size, group, apart=apart)


def film_case(first: str, second: str, size: int, group: str = "film", *, apart: bool = False) -> Case:
    """Return a film (T, Y, X, C) of two bundled photographs; frames are what a moving window of `size`
    shows."""
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


def flicker(estimates: NDArray, truths: NDArray) -> float:
    """Root mean square of how errors change from frame to frame.

    Parameters
    ----------
    estimates, truths : ndarray of shape (K, T, ...)
        In the same order and unit.

    Notes
    -----
    ``rms((y_t - y_{t-1}) - (x_t - x_{t-1}))`` with y estimated and x true: motion is no flicker, nor is an
    error that stays.
    """
    change = np.diff(np.asarray(estimates, dtype=float) - truths, axis=1)
    return float(np.sqrt(np.nanmean(change**2)))
