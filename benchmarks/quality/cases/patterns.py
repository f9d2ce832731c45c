"""Cases of patterns that repeat, drawn by rule: two superimposed, or one over a photograph."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.quality.cases import Maker
from benchmarks.quality.cases.worn_pattern import worn_pattern
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.case_makers import half_and_half
from napari_bitsnet.data.photographs import BUNDLED, bundled_photograph

TWO, OVER = "two patterns, drawn", "pattern over a photograph"
FIRST = 100
"""Seed of the first case; smaller ones were looked at while the method was made."""


def pattern_cases(size: int, n: int) -> Iterator[Maker]:
    """Yield `n` cases of two patterns, and as many of one over a photograph, no more than there are of
    these."""
    for seed in range(FIRST, FIRST + n):
        yield TWO, partial(_two, seed, size)
    for seed, name in enumerate(BUNDLED[:n], FIRST):
        yield OVER, partial(_over, seed, name, size)


def _two(seed: int, size: int) -> Case:
    rng = np.random.default_rng(seed)
    return half_and_half(f"patterns {seed}", TWO, worn_pattern(rng, size), worn_pattern(rng, size))


def _over(seed: int, name: str, size: int) -> Case:
    photograph = bundled_photograph(name, size)
    return half_and_half(f"pattern {seed} + {name}", OVER, worn_pattern(seed, size), photograph)
