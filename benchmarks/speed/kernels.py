"""Which of the device's kernels, or of PyTorch's operators on a CPU, an iteration's time goes to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.speed.step_time import CYCLE, noise_problem, start_bitsnet, wait
from napari_bitsnet.methods.bitsnet import BitsNet

SHOWN = 30


def kernel_rows(device: str, size: int) -> Iterator[dict[str, Any]]:
    """Profile one cycle of iterations of `official`.

    Yields
    ------
    dict
        A kernel and its milliseconds an iteration, the costliest first; the first row is the sum of all.
    """
    from torch.profiler import ProfilerActivity, profile

    cuda = device.startswith("cuda")
    method, state = start_bitsnet(BitsNet.presets["official"], noise_problem(size), device)
    advance = method.advance(state)
    for _ in range(3 * CYCLE if cuda else 1):
        next(advance)
    wait(device)
    activities = [ProfilerActivity.CUDA] if cuda else [ProfilerActivity.CPU]
    with profile(activities=activities) as profiler:
        for _ in range(CYCLE):
            next(advance)
        wait(device)

    def milliseconds(event: Any) -> float:
        microseconds = event.self_device_time_total if cuda else event.self_cpu_time_total
        return float(microseconds) / 1e3 / CYCLE

    events = sorted(profiler.key_averages(), key=milliseconds, reverse=True)
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
