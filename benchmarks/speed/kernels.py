"""The kernels of a GPU, or the operators of PyTorch on a CPU, that take most of an iteration's time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.speed.profiling import profile_steps
from benchmarks.speed.step_time import CYCLE, noise_problem, start_bitsnet
from napari_bitsnet.methods.dip.bitsnet import BitsNet

SHOWN = 30


def kernel_rows(device: str, size: int) -> Iterator[dict[str, Any]]:
    """Profile one cycle of iterations of `official`.

    Yields
    ------
    dict
        A kernel and its milliseconds in an iteration, the costliest first; the first row is the sum of all.
    """
    method, state = start_bitsnet(BitsNet.presets["official"], noise_problem(size), device)
    events, milliseconds = profile_steps(method.advance(state), device, CYCLE)
    events.sort(key=milliseconds, reverse=True)
    calls = sum(event.count for event in events) / CYCLE
    yield {
        "what": "all", "size": size, "ms": sum(milliseconds(e) for e in events),
        "note": f"{calls:.0f} calls an iteration",
    }  # fmt: skip
    for event in events[:SHOWN]:
        yield {
            "what": event.key[:90], "size": size, "ms": milliseconds(event),
            "note": f"{event.count / CYCLE:.1f} calls",
        }  # fmt: skip
