"""Profile iterations of BITS-Net with ``torch.profiler``, whole or by named part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from benchmarks.speed.step_time import wait

Work = TypeVar("Work", bound=Callable[..., Any])


def profile_steps(
    advance: Iterator[Any], device: str, steps: int, *, warm_up: int = 1
) -> tuple[list[Any], Callable[[Any], float]]:
    """Profile iterations.

    Parameters
    ----------
    advance : iterator
        One item for each iteration.
    device : str
        A torch device.
    steps, warm_up : int
        Iterations to profile, and before.

    Returns
    -------
    tuple of list and callable
        Averages over events of the same name, and a function from one of them to its own milliseconds in an
        iteration.
    """
    from torch.profiler import ProfilerActivity, profile

    cuda = device.startswith("cuda")
    for _ in range(warm_up):
        next(advance)
    wait(device)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(activities=activities) as profiler:
        for _ in range(steps):
            next(advance)
        wait(device)

    def milliseconds(event: Any) -> float:
        microseconds = event.self_device_time_total if cuda else event.self_cpu_time_total
        return float(microseconds) / 1e3 / steps

    return list(profiler.key_averages()), milliseconds


def total_milliseconds(event: Any, device: str, steps: int) -> float:
    """Return the milliseconds of an event in an iteration, with all that it calls."""
    cuda = device.startswith("cuda")
    return float(event.device_time_total if cuda else event.cpu_time_total) * (1 / 1e3 / steps)


def labelled(name: str, work: Work) -> Work:
    """Return `work` with its name in the profile."""
    from torch.profiler import record_function

    @wraps(work)
    def call(*arguments: Any, **options: Any) -> Any:
        with record_function(name):
            return work(*arguments, **options)

    return call  # type: ignore[return-value]
