"""Screenshots of the viewer before, during and after a run on the sample panel, for the README and these pages.

Run it on a virtual screen, as large as a small laptop's::

    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/screenshots.py docs/images
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from napari.settings import get_settings
from PIL import Image
from qtpy.QtWidgets import QApplication

SIZE = (1366, 768)


def pump(seconds: float = 0.5, until: Callable[[], bool] = lambda: True, limit: float = 1800.0) -> None:
    """Let Qt handle events for a while; given a condition, until it holds and a while longer."""
    began = time.monotonic()
    while not until() and time.monotonic() - began < limit:
        QApplication.processEvents()
        time.sleep(0.01)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        QApplication.processEvents()
        time.sleep(0.01)


def shoot(viewer: napari.Viewer, path: Path) -> None:
    """Save a picture of the whole window, with 256 colours where that shows no difference."""
    pump()
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1024} kB")  # noqa: T201


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", default="dark", choices=["dark", "light"])
    parser.add_argument("--iterations", default=200, type=int)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    suffix = "" if arguments.theme == "dark" else f"-{arguments.theme}"

    get_settings().appearance.theme = arguments.theme
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    viewer.open_sample("napari-bitsnet", "panel")
    _, widget = viewer.window.add_plugin_dock_widget("napari-bitsnet")
    widget.method.apply("bitsnet", "balanced", {"iterations": arguments.iterations})
    pump(until=lambda: "Looking" not in widget.device.line)
    shoot(viewer, arguments.folder / f"viewer-before{suffix}.png")

    viewer.layers["Front (photograph)"].visible = True
    widget.view.side_by_side.value = True
    run: Any = widget.run()
    pump(until=lambda: bool(run.layers) and widget.bar.progress > 0.25)
    shoot(viewer, arguments.folder / f"viewer-during{suffix}.png")
    pump(until=lambda: not widget.busy, limit=3600)
    viewer.layers.selection.active = run.layers[0]
    widget.show_results()
    shoot(viewer, arguments.folder / f"viewer-after{suffix}.png")
    viewer.close()


if __name__ == "__main__":
    main()
