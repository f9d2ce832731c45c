"""How PyTorch's threads wait for one another, and how many of them a run takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

Y = TypeVar("Y")
S = TypeVar("S")
R = TypeVar("R")

POLICY = "OMP_WAIT_POLICY"
"""Environment variable that OpenMP reads once, when PyTorch is loaded."""

_asleep: list[bool] = []
"""Whether PyTorch's threads sleep while they wait, once it is known."""


def wait_politely() -> None:
    """Let PyTorch's threads sleep while they wait, if it is not loaded yet and the environment does not say
    otherwise.

    Threads wait actively by default. If other programs use the same cores, the waiting threads block those
    for which they wait, and a run takes 2 to 25 times the processor time. The setting holds for the whole
    process.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault(POLICY, "PASSIVE")
    if not _asleep:
        _asleep.append(os.environ.get(POLICY, "").upper() == "PASSIVE")


def n_threads(current: int, cores: int, *, asleep: bool) -> int:
    """Return the number of threads of a run.

    Parameters
    ----------
    current : int
        PyTorch's number of threads.
    cores : int
        Cores of the machine.
    asleep : bool
        Whether threads sleep while they wait.

    Returns
    -------
    int
        `current` if threads sleep. Otherwise at most half the cores, so that each thread has a core of its
        own beside other programs. The number does not depend on how busy the machine is: a seed gives the
        same answer again.
    """
    return current if asleep else min(current, max(1, cores // 2))


@contextmanager
def polite_threads() -> Iterator[None]:
    """Compute with `n_threads` of PyTorch's threads, and put the number back afterwards."""
    import torch

    before = torch.get_num_threads()
    wanted = n_threads(before, os.cpu_count() or 1, asleep=bool(_asleep and _asleep[0]))
    if wanted == before:
        yield
        return
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def with_polite_threads(steps: Generator[Y, S, R]) -> Generator[Y, S, R]:
    """Make each step of a computation inside `polite_threads`; between the steps PyTorch is as it was."""
    answer: S | None = None
    try:
        while True:
            try:
                with polite_threads():
                    step = next(steps) if answer is None else steps.send(answer)
            except StopIteration as end:
                result: R = end.value
                return result
            answer = yield step
    finally:
        steps.close()
