"""Time until a user can begin: imports, the first optimiser, the dock in the viewer; each in a process of its
own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from typing import Any

SCRIPTS = {
    "import napari_bitsnet": ("", "import napari_bitsnet"),
    "import torch": ("", "import torch"),
    "a first Adam (PyTorch loads its compiler's front end for it)": (
        "import torch; p = torch.nn.Parameter(torch.zeros(1))",
        "torch.optim.Adam([p], lr=0.1)",
    ),
    "list tasks and methods": ("import napari_bitsnet as nb", "nb.list_tasks(); nb.list_methods()"),
    "open the dock in an open viewer": (
        "import napari; viewer = napari.Viewer(show=False)",
        "viewer.window.add_plugin_dock_widget('napari-bitsnet')",
    ),
}
"""Preparation, which is not timed, and timed code, by name."""

TIMER = """
{before}
import time
wall, cpu = time.perf_counter(), time.process_time()
{timed}
print("took", time.perf_counter() - wall, time.process_time() - cpu)
import os; os._exit(0)
"""


def opening_rows(until: float, *, repeats: int = 3) -> Iterator[dict[str, Any]]:
    """Yield the median over processes; the dock is timed only where napari is installed, without a screen.

    Yields
    ------
    dict
        ``what``, ``ms``, ``processor ms``, ``note``.
    """
    import time

    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    for name, (before, timed) in SCRIPTS.items():
        row: dict[str, Any] = {"what": name}
        if time.perf_counter() > until:
            yield {**row, "note": "skipped: out of time"}
            continue
        taken = []
        for _ in range(repeats):
            script = TIMER.format(before=before, timed=timed)
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", script],
                env=environment, capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
            lines = [line for line in done.stdout.splitlines() if line.startswith("took ")]
            if not lines:
                row["note"] = (done.stderr.strip().splitlines() or ["no answer"])[-1][:200]
                break
            taken.append([float(value) * 1e3 for value in lines[-1].split()[1:]])
        if taken:
            row["ms"], row["processor ms"] = (median(values) for values in zip(*taken, strict=True))
            row["note"] = f"median of {len(taken)} processes"
        yield row
