"""Estimate the time and memory of a run before it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.methods import METHODS, Cost

UNKNOWN = Cost(0.5, 1.0)
"""Cost of a method that was not measured."""

FASTER = {"cuda": 40.0, "mps": 8.0}
"""Speed of devices relative to one core, until a run has been measured."""


@dataclass(frozen=True)
class Estimate:
    """Expected time and memory of a run.

    Parameters
    ----------
    seconds : float
        Upper estimate, because stopping rules may end a run earlier.
    mebibytes : float or None
        Memory on the device; None if it was not measured for the method.
    known : bool
        Whether the method was measured, here or for this release; otherwise `seconds` is not meaningful.
    """

    seconds: float
    mebibytes: float | None
    known: bool


def estimate(
    settings: RunSettings,
    size: tuple[int, int],
    *,
    n_sources: int,
    n_planes: int = 1,
    device: str = "cpu",
    learnt: Mapping[str, float] | None = None,
    iterations: int | None = None,
) -> Estimate:
    """Estimate a run.

    Parameters
    ----------
    settings : RunSettings
        Settings with the name of a method, not ``"auto"``.
    size : (Y, X)
        Pixels.
    n_sources, n_planes : int
        Number of sources, and of slices.
    device : str
        Resolved.
    learnt : mapping of str to float, optional
        Factors by `kind_of_run`: measured time on this machine over the estimate without factors.
    iterations : int, optional
        Finished or planned iterations; default those of the settings.

    Raises
    ------
    ValueError
        If method, preset or a setting is unknown or out of range.
    """
    method = METHODS.get(settings.method)
    made = method(method.presets[settings.preset].updated(settings.settings))
    count = iterations or settings.iterations or made.iterations
    shrink = 1.0 if method.full_resolution else min(1.0, settings.size_limit / max(size))
    megapixels = size[0] * size[1] * shrink**2 / 1e6
    cost = made.cost or UNKNOWN
    factor = dict(learnt or {}).get(kind_of_run(settings, device))
    steps = 1 if made.iterations == 1 else count
    alone = cost.fixed + settings.n_seeds * (cost.start + cost.step * steps) * megapixels * n_sources
    kind = device.partition(":")[0]
    speed = FASTER.get(kind) or min(os.cpu_count() or 1, 8) ** 0.6
    seconds = n_planes * alone * (factor if factor is not None else 1 / speed)
    if settings.seconds is not None:
        seconds = min(seconds, n_planes * settings.seconds)
    memory = None if cost.memory is None else cost.memory * megapixels * n_sources * settings.n_seeds
    return Estimate(seconds, memory, method.cost is not None or factor is not None)


def kind_of_run(settings: RunSettings, device: str) -> str:
    """Return the name of runs with comparable times."""
    return f"{settings.method} on {device.partition(':')[0]}"


def learn(
    settings: RunSettings,
    size: tuple[int, int],
    seconds: float,
    *,
    n_sources: int,
    n_planes: int,
    device: str,
    iterations: int,
    learnt: Mapping[str, float],
) -> dict[str, float]:
    """Return the factors, updated by a run with weight 0.5.

    Parameters
    ----------
    seconds : float
        Time of the run.
    iterations : int
        Iterations of the run.
    settings, size, n_sources, n_planes, device, learnt
        As for `estimate`.
    """
    kind = kind_of_run(settings, device)
    alone = estimate(
        settings.updated({"seconds": None}),
        size,
        n_sources=n_sources,
        n_planes=n_planes,
        device=device,
        learnt={kind: 1.0},
        iterations=iterations,
    )
    shown = seconds / alone.seconds
    before = learnt.get(kind)
    return {**learnt, kind: shown if before is None else (shown + before) / 2}


def in_words(seconds: float, mebibytes: float | None = None) -> str:
    """Return ``"≈ 2 min, ≈ 3.1 GB"``."""
    if seconds < 10:
        time = "a few seconds"
    elif seconds < 90:
        time = f"≈ {round(seconds / 10) * 10} s"
    elif seconds < 5400:
        time = f"≈ {seconds / 60:.0f} min"
    else:
        time = f"≈ {seconds / 3600:.1f} h"
    if mebibytes is None:
        return time
    gigabytes = mebibytes * 2**20 / 1e9
    return f"{time}, ≈ {gigabytes:.1f} GB" if gigabytes >= 0.1 else f"{time}, under 0.1 GB"
