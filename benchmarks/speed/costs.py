"""Processor time of every method beside what the estimate of the dock says for one core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 10
"""Iterations that are timed of methods that never end by themselves."""
SOURCES = 2
"""That the dock reckons with, also where sources are no option of the task."""
UNTRAINED = ("bitsnet", "dip", "double_dip", "double_dip_haze", "double_dip_layers")


def _mixture(size: int) -> dict[str, Any]:
    from napari_bitsnet.data.synthetic import photograph_mixture

    return {"mixture": photograph_mixture(0, size).mixtures[0]}


def _hinted(size: int) -> dict[str, Any]:
    hints = np.zeros((size, size), np.uint8)
    hints[size // 4, size // 8 : size // 2], hints[size // 2, size // 4 : 3 * size // 4] = 1, 2
    return {**_mixture(size), "hints": hints}


def _mixtures(size: int, noise: float) -> dict[str, Any]:
    from napari_bitsnet.data.synthetic import photograph_mixtures

    return {"mixture": photograph_mixtures(0, size, noise=noise).mixtures}


def _photograph(size: int) -> NDArray:
    from napari_bitsnet.data.photographs import bundled_photograph

    return bundled_photograph("astronaut", size)


def _noisy(size: int) -> dict[str, Any]:
    from napari_bitsnet.data.degraded import add_noise

    return {"mixture": add_noise(_photograph(size), 0.1)}


def _missing(size: int) -> dict[str, Any]:
    from napari_bitsnet.data.degraded import missing_at_random

    return {"mixture": _photograph(size), "mask": missing_at_random((size, size), 0.5)}


def _hazy(size: int) -> dict[str, Any]:
    from napari_bitsnet.data.degraded import lay_haze

    return {"mixture": lay_haze(_photograph(size)).image}


def _panel(size: int) -> dict[str, Any]:
    from napari_bitsnet.data.panel import simulate_panel

    panel = simulate_panel(3, size)
    return {"mixture": panel.mixture, "guides": list(panel.guides)}


def _marked(size: int) -> dict[str, Any]:
    from napari_bitsnet.data.photographs import photograph

    images = np.stack([photograph(seed, size) for seed in range(3)]).astype(np.float64)
    mark = np.zeros((size, size, 1))
    mark[size // 3 : size // 2, size // 4 : 3 * size // 4] = 0.5
    return {"mixture": images * (1 - mark) + images.max() * mark}


def _outlined(size: int) -> dict[str, Any]:
    hints = np.zeros((size, size), np.uint8)
    hints[3 * size // 8 : 5 * size // 8, size // 2], hints[: size // 16] = 1, 2
    return {"mixture": _photograph(size), "hints": hints}


CASES: tuple[tuple[str, str, str, Callable[[int], dict[str, Any]]], ...] = (
    ("ica", "multi_mixture", "", lambda size: _mixtures(size, 0.0)),
    ("ica", "multi_mixture", "noisy", lambda size: _mixtures(size, 0.03)),
    ("nl_bayes", "denoise", "noisy", _noisy),
    ("nl_bayes", "inpaint", "half missing", _missing),
    ("dark_channel", "dehaze", "", _hazy),
    ("sparse_gradients", "separate", "hints", _hinted),
    ("feedforward", "separate", "", _mixture),
    ("periodic", "separate", "", _mixture),
    ("ytmt", "reflection", "", _mixture),
    ("random_walker", "segment", "", _outlined),
    ("grabcut", "segment", "", _outlined),
    ("guided_regression", "xray", "two guides", _panel),
    ("guided_network", "xray", "two guides", _panel),
    ("watermark_matting", "watermark", "three images", _marked),
    ("bitsnet", "separate", "", _mixture),
    ("double_dip", "separate", "", _mixture),
    ("dip", "denoise", "", _noisy),
    ("double_dip_haze", "dehaze", "", _hazy),
    ("double_dip_layers", "segment", "", _outlined),
)
"""Method, task, what is special, and the inputs of a size."""


def cost_rows(sizes: tuple[int, ...], until: float) -> Iterator[dict[str, Any]]:
    """Run every method once at each size, `STEPS` iterations of those that never end, and compare.

    Yields
    ------
    dict
        ``what``, ``size``, ``sources``, ``processor ms`` of the run, ``ratio`` of the estimate over it, and
        the estimate in ``note``.
    """
    from napari_bitsnet import run
    from napari_bitsnet.api.estimate import estimate, kind_of_run
    from napari_bitsnet.api.settings import RunSettings

    for name, task, special, make in CASES:
        steps = STEPS if name in UNTRAINED else None
        settings = RunSettings.of(task, method=name, iterations=steps)
        run(task, **make(64), method=name, iterations=steps and 1)  # what is loaded once does not count
        for size in sizes:
            row: dict[str, Any] = {"what": f"{name}, {special}" if special else name, "size": size}
            if time.perf_counter() > until:
                yield {**row, "note": "skipped: out of time"}
                continue
            began = time.process_time()
            run(task, **make(size), method=name, iterations=steps)
            seconds = time.process_time() - began
            alone = {kind_of_run(settings, "cpu"): 1.0}
            said = estimate(settings, (size, size), n_sources=SOURCES, learnt=alone, iterations=steps)
            yield {
                **row,
                "sources": SOURCES,
                "processor ms": 1e3 * seconds,
                "ratio": said.seconds / seconds,
                "note": f"estimate {said.seconds:.1f} s",
            }
