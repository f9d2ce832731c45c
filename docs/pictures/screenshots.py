"""Screenshots of the viewer for the README, the pages and the tutorials, on the bundled samples.

Run it on a virtual screen, as large as a small laptop's::

    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1366x768x24" python -m docs.pictures.screenshots docs/images
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# neither the settings of whoever runs this are shown, nor are they changed
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp()

import napari
import numpy as np
from napari.settings import get_settings
from PIL import Image
from qtpy.QtWidgets import QApplication

from benchmarks.quality.drawn_scribbles import draw_scribbles
from docs.pictures.saving import save_picture
from napari_bitsnet.data.photographs import photograph

SIZE = (1366, 768)
BOARD, DOCK = (418, 23, 968, 742), (1066, 0, 1366, 768)
"""Where the checkerboard and the dock are in the window: left, top, right and bottom in pixels."""


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


class Scene:
    """A viewer with a sample and a dock.

    Parameters
    ----------
    sample : str
        Key of the sample; none if empty.
    folder : Path
        Where pictures go.
    suffix : str
        At the end of their names.
    widget : str, optional
        Name of the dock, if it is not the one that separates.
    """

    def __init__(self, sample: str, folder: Path, suffix: str = "", widget: str | None = None) -> None:
        self.folder, self.suffix = folder, suffix
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(*SIZE)
        if sample:
            self.viewer.open_sample("napari-bitsnet", sample)
        _, self.dock = self.viewer.window.add_plugin_dock_widget("napari-bitsnet", widget)
        pump(until=lambda: "Looking" not in self.dock.device.line)

    def run(self) -> Any:
        """Run with what is shown, to the end."""
        run = self.dock.run()
        pump(until=lambda: not self.dock.busy)
        return run

    def grab(self) -> Image.Image:
        """A picture of the whole window."""
        pump()
        return Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False)[..., :3])

    def shoot(self, name: str, box: tuple[int, int, int, int] | None = None) -> None:
        """Save a picture of the window, or of a part of it."""
        save_picture(self.grab().crop(box), self.folder / f"{name}{self.suffix}.webp")

    def close(self) -> None:
        """Close the viewer."""
        self.viewer.close()
        pump()


def panel(folder: Path, suffix: str) -> None:
    """The X-ray before and after a run; of another theme the dock alone."""
    scene = Scene("panel", folder, suffix)
    if suffix:
        scene.shoot("viewer-before", DOCK)
        scene.close()
        return
    scene.shoot("viewer-before")
    scene.viewer.layers["Front (photograph)"].visible = True
    scene.dock.view.side_by_side.value = True
    scene.dock.method.apply("guided_regression", "quick", {})
    run = scene.run()
    scene.viewer.layers.selection.active = run.layers[0]
    scene.dock.show_results()
    scene.shoot("viewer-after")
    scene.close()


def one_image(folder: Path, suffix: str) -> None:
    """One image with scribbles."""
    scene = Scene("photographs", folder, suffix)
    truths = np.stack([layer.data for layer in scene.viewer.layers if layer.name.endswith("(truth)")])
    scene.dock.paint_hints()
    hints = scene.viewer.layers["Photographs hints"]
    hints.data = draw_scribbles(truths, 24, seed=0).astype(np.uint8)
    hints.mode = "pan_zoom"
    scene.dock.method.method.choose("sparse_gradients")
    run = scene.run()
    scene.viewer.layers.selection.active = run.layers[0]
    scene.dock.view.side_by_side.value = True
    scene.shoot("tutorial-separate")
    scene.close()


def mixtures(folder: Path, suffix: str) -> None:
    """Two mixtures and what is found."""
    scene = Scene("two_mixtures", folder, suffix)
    scene.viewer.layers["Mixture 2"].visible = True
    run = scene.run()
    scene.viewer.layers.selection.active = run.layers[0]
    scene.dock.view.side_by_side.value = True
    scene.shoot("tutorial-multi-mixture")
    scene.close()


def registration(folder: Path, suffix: str) -> None:
    """A photograph that was put out of place, on the checkerboard before and after."""
    scene = Scene("panel", folder, suffix)
    scene.viewer.layers["Front (photograph)"].affine = [[0.98, 0.05, 6], [-0.05, 1, -9], [0, 0, 1]]
    form = scene.dock.form.register
    scene.dock.form.show_registration()
    form.show_checkerboard()
    before = scene.grab()
    form.register()
    pump(until=lambda: not form.busy)
    after = scene.grab()
    middle, right = (before.crop(BOARD), after.crop(BOARD)), after.crop(DOCK)
    both = Image.new("RGB", (2 * middle[0].width + right.width, SIZE[1]))
    for k, board in enumerate(middle):
        both.paste(board, (k * board.width, BOARD[1]))
    both.paste(right, (2 * middle[0].width, 0))
    save_picture(both, folder / f"tutorial-registration{suffix}.webp")
    scene.close()


def areas(folder: Path, suffix: str) -> None:
    """An area that is given to the other source."""
    scene = Scene("panel", folder, suffix)
    scene.dock.method.apply("guided_regression", "quick", {})
    run = scene.run()
    dock, xray = scene.dock, scene.viewer.layers["X-ray"]
    dock.areas.mark_area()
    pump(until=lambda: "area" in scene.viewer.layers)
    corners = [xray.data_to_world(p) for p in ((120, 90), (120, 150), (200, 150), (200, 90))]
    scene.viewer.layers["area"].add_polygons([np.array(corners)])
    dock.areas.give(2)
    pump(until=lambda: not dock.busy)
    scene.viewer.layers.selection.active = run.layers[0]
    dock.view.side_by_side.value = True
    dock.show_results()
    scene.shoot("tutorial-hints")
    scene.close()


def training(folder: Path, suffix: str) -> None:
    """The package's networks, trained on with images drawn like photographs."""
    images = Path(tempfile.mkdtemp()) / "photographs"
    images.mkdir()
    for seed in range(48):
        pixels = (255 * np.clip(photograph(seed, 128), 0, 1)).astype(np.uint8)
        Image.fromarray(pixels).save(images / f"{seed}.png")
    scene = Scene("", folder, suffix, "Train networks…")
    scene.dock.sources.add([images])
    scene.dock.output.value = images.with_name("mine.safetensors")
    quick = {
        "steps": 60,
        "batch": 8,
        "validate_every": 10,
        "validation_pairs": 16,
        "rate": 2e-4,
    }
    scene.dock.config = scene.dock.config.updated(quick)
    run: Any = scene.dock.train()
    pump(until=lambda: run.layer is not None and len(scene.dock.bar.points) > 12)
    scene.shoot("tutorial-training")
    scene.dock.stop_and_keep()
    pump(until=lambda: not scene.dock.busy)
    scene.close()


SCENES = {
    "panel": panel,
    "separate": one_image,
    "mixtures": mixtures,
    "registration": registration,
    "hints": areas,
    "training": training,
}


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", default="dark", choices=["dark", "light"])
    parser.add_argument("--font", default=9, type=int, help="size in points")
    parser.add_argument("--scenes", nargs="+", default=list(SCENES), choices=list(SCENES))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    get_settings().appearance.theme = arguments.theme
    get_settings().appearance.font_size = arguments.font
    suffix = "" if arguments.theme == "dark" else f"-{arguments.theme}"
    for name in arguments.scenes:
        SCENES[name](arguments.folder, suffix)


if __name__ == "__main__":
    main()
