"""Cases that need no download: simulated panels and the photographs that scikit-image ships."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_bitsnet.benchmark.case import Case, half_and_half, two_mixtures
from napari_bitsnet.data.photographs import bundled_photograph

WEIGHTS = {
    "easy": np.array([[0.72, 0.28], [0.45, 0.55]]),
    "hard": np.array([[0.6, 0.4], [0.5, 0.5]]),
}
"""Weights of two mixtures, rows add to one; condition numbers 3.7 and 10."""

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


def builtin_cases(size: int = 256, n: int = 4) -> Iterator[Case]:
    """Yield every case that needs no download.

    Parameters
    ----------
    size : int
        Side of the images in pixels.
    n : int
        Panels a group.
    """
    for n_guides, words in ((2, "two guides"), (1, "one guide")):
        for seed in range(n):
            yield panel_case(seed, size, n_guides, f"panel, {words}")
        for seed in range(n):
            yield panel_case(seed, size, n_guides, f"panel, {words}, aligned", misregistration=0.0)
        for seed in range(n):
            yield panel_case(seed, size, n_guides, f"panel, {words}, noise 2 %", noise=0.02)
    for first, second in PAIRS:
        pair = [bundled_photograph(first, size), bundled_photograph(second, size)]
        for words, weights in WEIGHTS.items():
            yield two_mixtures(f"{first} + {second}", f"two mixtures, {words} weights", pair, weights)
            yield two_mixtures(
                f"{first} + {second}", f"two mixtures, {words} weights, noise 2 %", pair, weights, noise=0.02
            )
        yield half_and_half(f"{first} + {second}", "blind, bundled", *pair)
