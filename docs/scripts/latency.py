"""How long the viewer's event loop is held up during a run on the CPU, with live layers.

Run it on a virtual screen: ``QT_QPA_PLATFORM=xcb xvfb-run -a python docs/scripts/latency.py``
"""

from __future__ import annotations

import argparse
import time

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_bitsnet.data.synthetic import photograph_mixture

TICK_MS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default=512, type=int)
    parser.add_argument("--seconds", default=30.0, type=float)
    arguments = parser.parse_args()

    viewer = napari.Viewer(show=True)
    viewer.add_image(photograph_mixture(0, arguments.size).mixtures[0], name="mixture", rgb=True)
    _, widget = viewer.window.add_plugin_dock_widget("napari-bitsnet")
    widget.method.apply("bitsnet", "balanced", {})

    late: list[float] = []
    last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        late.append(1000 * (now - last) - TICK_MS)
        last = now

    timer = QTimer()
    timer.setInterval(TICK_MS)
    timer.timeout.connect(tick)
    run = widget.run()
    while run.states.busy and widget.bar.progress == 0:
        QApplication.processEvents()
    last = time.perf_counter()
    timer.start()
    ends = last + arguments.seconds
    while run.states.busy and time.perf_counter() < ends:
        QApplication.processEvents()
        time.sleep(0.001)
    timer.stop()
    widget.stop_and_keep()
    while run.states.busy:
        QApplication.processEvents()
    quantiles = dict(zip(("median", "99 %", "longest"), np.quantile(late, (0.5, 0.99, 1)), strict=True))
    print(  # noqa: T201
        f"{arguments.size} x {arguments.size}, {widget.bar.line} Event loop late by "
        + ", ".join(f"{name} {value:.0f} ms" for name, value in quantiles.items())
        + f" ({len(late)} ticks)"
    )
    viewer.close()


if __name__ == "__main__":
    main()
