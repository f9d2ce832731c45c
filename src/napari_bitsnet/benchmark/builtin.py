"""Cases that need no download: simulated panels and the photographs that scikit-image ships."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.benchmark.case import Case, Maker, Recording, half_and_half, two_mixtures
from napari_bitsnet.benchmark.cutouts import cutout_cases
from napari_bitsnet.benchmark.damage import damage_cases
from napari_bitsnet.benchmark.films import film_cases
from napari_bitsnet.benchmark.marks import mark_cases
from napari_bitsnet.benchmark.patterns import pattern_cases
from napari_bitsnet.data.photographs import bundled_photograph

WEIGHTS = {
    "easy": np.array([[0.72, 0.28], [0.45, 0.55]]),
    "hard": np.array([[0.6, 0.4], [0.5, 0.5]]),
}
"""Weights of two mixtures, rows add to one; condition numbers 3.7 and 10."""

RECORDINGS: dict[str, Recording] = {"": {}, ", noise 2 %": {"noise": 0.02}, ", 16 bits": {"bits": 16}}
"""How several mixtures are recorded, by what a group's name says of it; 8 bits without noise where it says nothing."""

PAIRS = [("astronaut", "coffee"), ("chelsea", "rocket"), ("coffee", "chelsea"), ("astronaut", "retina")]
"""Photographs of `skimage.data` that are superimposed."""


def panel_case(seed: int, size: int, n_guides: int, group: str, **arguments: float) -> Case:
    """Return a simulated X-radiograph with one or two guides; see `simulate_panel`."""
    from napari_bitsnet.data.panel import simulate_panel

    panel = simulate_panel(seed, size, **arguments)  # type: ignore[arg-type]
    guides = [g if k < n_guides else None for k, g in enumerate(panel.guides)]
    return Case(
        f"panel {seed}, {n_guides} guide{'s'[: n_guides - 1]}",
        group,
        "xray",
        panel.mixture,
        panel.truths,
        guides=guides,
        ceiling=panel.ceiling(n_guides),
    )


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
        Panels a group.
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
