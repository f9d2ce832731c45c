"""Cases that need no download: simulated panels and the photographs that scikit-image ships."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from numpy.typing import NDArray

from benchmarks.quality.cases import Maker
from benchmarks.quality.cases.cutouts import cutout_cases
from benchmarks.quality.cases.damage import damage_cases
from benchmarks.quality.cases.films import film_cases
from benchmarks.quality.cases.marks import mark_cases
from benchmarks.quality.cases.patterns import pattern_cases
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.case_makers import WEIGHTS, Recording, half_and_half, panel_case, two_mixtures
from napari_bitsnet.data.photographs import bundled_photograph

RECORDINGS: dict[str, Recording] = {"": {}, ", noise 2 %": {"noise": 0.02}, ", 16 bits": {"bits": 16}}
"""Recording of several mixtures, by the end of the group's name: 8 bits without noise unless it says
otherwise."""

PAIRS = [("astronaut", "coffee"), ("chelsea", "rocket"), ("coffee", "chelsea"), ("astronaut", "retina")]
"""Photographs of `skimage.data` that are superimposed."""


def photograph_pair(first: str, second: str, size: int) -> list[NDArray]:
    """Return two photographs of scikit-image, (size, size, 3) in [0, 1]."""
    return [bundled_photograph(first, size), bundled_photograph(second, size)]


def builtin_cases(size: int = 256, n: int = 4) -> Iterator[Maker]:
    """Yield every case that needs no download.

    Parameters
    ----------
    size : int
        Side of the images in pixels.
    n : int
        Cases in a group, at most.
    """
    strata = {"": {}, ", aligned": {"misregistration": 0.0}, ", noise 2 %": {"noise": 0.02}}
    for n_guides, words in ((2, "two guides"), (1, "one guide")):
        for stratum, arguments in strata.items():
            group = f"panel, {words}{stratum}"
            for seed in range(n):
                yield group, partial(panel_case, seed, size, n_guides, group, **arguments)
    for first, second in PAIRS:
        name = f"{first} + {second}"

        def mixtures(
            group: str, weights: NDArray, recording: Recording, of: tuple[str, str], name: str
        ) -> Case:
            return two_mixtures(name, group, photograph_pair(*of, size), weights, **recording)

        def blind(group: str, of: tuple[str, str], name: str) -> Case:
            return half_and_half(name, group, *photograph_pair(*of, size))

        for words, weights in WEIGHTS.items():
            for stratum, recording in RECORDINGS.items():
                group = f"two mixtures, {words} weights{stratum}"
                yield group, partial(mixtures, group, weights, recording, (first, second), name)
        yield "blind, bundled", partial(blind, "blind, bundled", (first, second), name)
    yield from mark_cases(size, n)
    yield from cutout_cases(size)
    yield from damage_cases(size, n)
    yield from film_cases(size, n)
    yield from pattern_cases(size, n)
