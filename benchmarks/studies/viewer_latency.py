"""How long is the viewer's event loop held up during a run on the CPU, with live layers?

Data: a mixture of drawn photographs (no download). On a machine that is busy with other work the clock shows
more than the viewer's own delay; the time that the GUI's thread itself computed in a block does not.
Command: ``QT_QPA_PLATFORM=xcb xvfb-run -a python -m benchmarks.studies.viewer_latency --seconds 22``
Answer: 70 ms at most; see ``docs/benchmarks/viewer.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from benchmarks.studies import arguments_of
from napari_bitsnet.data.synthetic import photograph_mixture

TICK_MS = 5
LONGEST = 5
"""So many of the longest blocks are listed, with when they came and what the dock said then."""


def main() -> None:
    """Measure and print."""
    parser = arguments_of(__doc__)
    parser.add_argument("--size", default=512, type=int)
    parser.add_argument("--seconds", default=30.0, type=float)
    parser.add_argument("--method", default="bitsnet")
    arguments = parser.parse_args()

    viewer = napari.Viewer(show=True)
    viewer.add_image(photograph_mixture(0, arguments.size).mixtures[0], name="mixture", rgb=True)
    _, widget = viewer.window.add_plugin_dock_widget("napari-bitsnet")
    widget.task.apply("separate", {})
    widget.method.apply(arguments.method, "balanced", {})
    wait(lambda: "Looking" in widget.device.line)
    wait(lambda: True, 1.0)

    blocks: list[tuple[float, float, float, str]] = []
    began = last = time.perf_counter()
    last_work = time.thread_time()

    def tick() -> None:
        nonlocal last, last_work
        now, work = time.perf_counter(), time.thread_time()
        late = max(0.0, 1000 * (now - last) - TICK_MS)
        blocks.append((late, 1000 * (work - last_work), now - began, widget.bar.line))
        last, last_work = now, work

    timer = QTimer()
    timer.setInterval(TICK_MS)
    timer.timeout.connect(tick)
    timer.start()
    began = last = time.perf_counter()
    last_work = time.thread_time()
    run = widget.run()
    wait(lambda: run.states.busy, arguments.seconds)
    widget.stop_and_keep()
    wait(lambda: run.states.busy)
    wait(lambda: True, 0.5)
    timer.stop()
    for what, values in (("late", [b[0] for b in blocks]), ("busy itself", [b[1] for b in blocks])):
        middle, most, longest = np.quantile(values, (0.5, 0.99, 1))
        print(
            f"{arguments.size} x {arguments.size}, {widget.bar.line} Event loop {what}: "
            f"median {middle:.0f} ms, 99 % {most:.0f} ms, longest {longest:.0f} ms ({len(values)} ticks)"
        )
    for late, work, when, said in sorted(blocks, reverse=True)[:LONGEST]:
        print(f"  {late:4.0f} ms late ({work:.0f} ms of work) at {when:5.1f} s: {said}")
    viewer.close()


def wait(condition: Callable[[], bool], seconds: float = 600.0) -> None:
    """Let Qt work while the condition holds, at most so long."""
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends and condition():
        QApplication.processEvents()
        time.sleep(0.001)


if __name__ == "__main__":
    main()
