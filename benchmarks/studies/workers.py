"""How much faster do two workers separate a stack than one?

Data: slices of a simulated panel (256 x 256 pixels) with noise of their own, and both photographs.
Command: ``python -m benchmarks.studies.workers --slices 24 --side 256 --preset quick``.

Workers have one thread each. The middle slice is separated first, all others from it, so that the best factor
with two workers is ``n / (1 + (n - 1) / 2)``, 1.92 for 24 slices. On a busy machine the factor of the clock
follows the load. The factor of processor time is the time of all tasks with one worker over that of the first
task and the larger of the two workers' other tasks.

Answer: on an idle machine with two cores (load 1.6), 24 slices take 79.5 s with one worker and 45.4 s with
two: a factor of 1.75 of the clock, and of 1.80 of processor time. At most 1.92 is possible.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from typing import Any

import numpy as np


def main() -> None:
    """Print seconds and processor seconds with one worker and with two, and the factors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--slices", type=int, default=24)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    stack, guides = slices_of_a_panel(given.slices, given.side)
    for _ in range(given.repeats):
        (one, whole, _), (two, first, rest) = (measured(n, stack, guides, given.preset) for n in (1, 2))
        print(
            f"{given.slices} slices of {given.side} x {given.side}, {given.preset}: {one:.1f} s with one, "
            f"{two:.1f} s with two: factor {one / two:.2f}; processor time {whole:.1f} s, "
            f"{first:.1f} + {rest:.1f} s: factor {whole / (first + rest):.2f}; load {os.getloadavg()[0]:.1f}"
        )


def slices_of_a_panel(count: int, side: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return a stack (Z, Y, X) of uint16 and the photographs of all its slices."""
    from napari_bitsnet.data.panel import simulate_panel

    panel = simulate_panel(2, side)
    noise = 500 * np.random.default_rng(0).standard_normal((count, side, side))
    return (panel.mixture + noise).clip(0, 65535).astype(np.uint16), tuple(panel.guides)


def measured(n_workers: int, stack: np.ndarray, guides: Any, preset: str) -> tuple[float, float, float]:
    """Return seconds of a run on so many workers, processor seconds of its first slice (with one worker: of
    all), and those of the worker that did most of the others."""
    from distributed import Client, LocalCluster

    import napari_bitsnet as nb

    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=None, env={"OMP_NUM_THREADS": "1"}
        ) as cluster,
        Client(cluster) as client,
    ):
        warm = [
            client.submit(separated, stack[0], guides, "quick", workers=[name], pure=False)
            for name in client.scheduler_info()["workers"]
        ]
        client.gather(warm)  # what is loaded and compiled once is no part of the measurement
        alone = client.submit(processor_time_of, stack[len(stack) // 2], guides, preset).result()
        before = client.run(time.process_time)
        began = time.perf_counter()
        result = nb.run("xray", stack, guides=guides, axes="ZYX", preset=preset, device="cpu", client=client)
        seconds = time.perf_counter() - began
        spent = {name: now - before[name] for name, now in client.run(time.process_time).items()}
    assert np.isfinite(result.sources).all()
    if n_workers == 1:
        return seconds, sum(spent.values()), 0.0
    # the first slice was one worker's: with it, that one has done no more than the other
    return seconds, alone, max(max(spent.values()) - alone, min(spent.values()))


def separated(image: np.ndarray, guides: Any, preset: str) -> None:
    """Separate one image."""
    import napari_bitsnet as nb

    nb.run("xray", image, guides=guides, preset=preset, device="cpu")


def processor_time_of(image: np.ndarray, guides: Any, preset: str) -> float:
    """Return the processor seconds of one image."""
    before = time.process_time()
    separated(image, guides, preset)
    return time.process_time() - before


if __name__ == "__main__":
    main()
