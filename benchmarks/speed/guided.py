"""Time and memory of guided separation by size, preset and method, beside what the estimate says; each in a
process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

CONTENDERS = (
    ("guided_regression", "quick"),
    ("guided_regression", "balanced"),
    ("guided_network", "balanced"),
)
"""Methods and presets; the last is what the task ``xray`` does by default."""

SCRIPT = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
method, preset, size, guides = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
from napari_bitsnet.data.panel import simulate_panel
panel = simulate_panel(11, min(size, 512))
def at_size(image):
    return image.repeat(size // image.shape[0], axis=0).repeat(size // image.shape[1], axis=1)
mixture, pictures = at_size(panel.mixture), [at_size(guide) for guide in panel.guides]
began, processor = time.perf_counter(), time.process_time()
import torch
loaded = time.perf_counter() - began, time.process_time() - processor
from napari_bitsnet.api.estimate import estimate
from napari_bitsnet.api.running import iter_run
from napari_bitsnet.api.settings import RunSettings
settings = RunSettings.of("xray", method=method, preset=preset)
first = None
for step in iter_run(settings, mixture, guides=[*pictures[:guides], *[None] * (2 - guides)]):
    if first is None:
        step.outputs  # made when somebody looks
        first = time.perf_counter() - began, time.process_time() - processor
done = time.perf_counter() - began, time.process_time() - processor
expected = estimate(settings, (size, size), n_sources=2).seconds
print(json.dumps({"loaded": loaded, "first": first, "done": done, "expected": expected,
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                  "threads": torch.get_num_threads()}))
"""


def guided_rows(sizes: tuple[int, ...], until: float, *, guides: int = 2) -> Iterator[dict[str, Any]]:
    """Run each contender once at each size; panels above 512 × 512 pixels are enlarged ones.

    Yields
    ------
    dict
        ``what``, ``size``, ``seconds`` and ``processor ms`` of the whole run, ``MiB``, and in ``note`` the
        first preview (which is made because it is asked for, and takes part in the whole), the loading of
        PyTorch, and the estimate.
    """
    for size in sizes:
        for method, preset in CONTENDERS:
            row: dict[str, Any] = {"what": f"{method}:{preset}, {guides} guides", "size": size, "sources": 2}
            if time.perf_counter() > until:
                yield {**row, "note": "skipped: out of time"}
                continue
            done = subprocess.run(
                [sys.executable, "-c", SCRIPT, method, preset, str(size), str(guides)],
                env=dict(os.environ), capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                yield {**row, "note": (done.stderr.strip().splitlines() or ["no answer"])[-1][:200]}
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            parts = {name: "{:.1f} s ({:.1f})".format(*found[name]) for name in ("first", "loaded")}
            yield {
                **row,
                "seconds": found["done"][0],
                "processor ms": 1e3 * found["done"][1],
                "MiB": found["peak"],
                "note": f"preview {parts['first']}, PyTorch loaded {parts['loaded']}, estimate "
                f"{found['expected']:.0f} s, {found['threads']} threads",
            }
