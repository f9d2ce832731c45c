"""Time of iterations on any device."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from napari_bitsnet.core.config import Config
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.methods.dip.bitsnet import BitsNet, BitsNetConfig

if TYPE_CHECKING:
    from napari_bitsnet.methods.dip.transparency import UntrainedState

CYCLE = 16
"""Steps after which the orientations begin anew; only whole cycles are timed."""


@dataclass
class StepTime:
    """Milliseconds an iteration on the wall and of the processor, spread, MiB reserved on CUDA, and the
    loss."""

    ms: float
    processor_ms: float
    spread: float
    mib: float
    steps: int
    loss: float


def wait(device: str) -> None:
    """Wait until the device has finished its work."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def noise_problem(size: int, n_sources: int = 2, channels: int = 3) -> Problem:
    """Return a mixture of smoothed noise; the time of a step does not depend on the image."""
    import torch
    from torch.nn import functional as F

    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, channels, size // 8, size // 8, generator=rng)
    return Problem(F.interpolate(coarse, size=(size, size), mode="bilinear"), n_sources=n_sources)


def start_bitsnet(config: Config, problem: Problem, device: str) -> tuple[BitsNet, UntrainedState]:
    """Return a method and its state before the first step."""
    method = BitsNet(cast(BitsNetConfig, config))
    return method, method.start(problem, device=device, seed=0)


def time_steps(
    method: BitsNet,
    state: UntrainedState,
    device: str,
    *,
    warm_up: int,
    steps: int,
    seconds: float,
    cycle: int = CYCLE,
) -> StepTime:
    """Time iterations, cycle by cycle.

    Parameters
    ----------
    method, state
        A run; it is advanced.
    device : str
        Where it runs.
    warm_up, steps : int
        Iterations before timing, and timed, in whole cycles.
    seconds : float
        Timing ends with the first cycle after so long, warm-up included.
    cycle : int
        Iterations in a cycle: by default one of all orientations.
    """
    import torch

    began = time.perf_counter()
    advance = method.advance(state)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    losses = _cycle(advance, warm_up)
    wait(device)
    times: list[float] = []
    processor = time.process_time()
    while not times or (len(times) * cycle < steps and time.perf_counter() - began < seconds):
        at = time.perf_counter()
        losses = _cycle(advance, cycle)
        wait(device)
        times.append((time.perf_counter() - at) / cycle * 1e3)
    done = len(times) * cycle
    processor = (time.process_time() - processor) / done * 1e3
    mib = torch.cuda.max_memory_reserved(device) / 2**20 if device.startswith("cuda") else float("nan")
    half_range = (max(times) - min(times)) / 2
    return StepTime(sum(times) / len(times), processor, half_range, mib, done, float(losses["total"]))


def _cycle(advance: Iterator[dict], steps: int) -> dict:
    losses: dict = {}
    for _ in range(steps):
        losses = next(advance)
    return losses
