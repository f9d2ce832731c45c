"""The animation of the home page: the dock before, during and after a run on the sample panel.

Run it on a virtual screen, as large as a small laptop's::

    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1366x768x24" python -m docs.pictures.animation
"""

from __future__ import annotations

import time
from pathlib import Path

from PIL import Image, ImageChops

from docs.pictures.screenshots import Scene, pump

PATH = Path(__file__).parents[1] / "images" / "dock.webp"
WIDTH, QUALITY = 960, 55
LOOK_EVERY, MOST = 1.5, 10
"""Seconds between two pictures of a run, and the most pictures of it."""
BRIEF, LONG = 700, 2500
"""Milliseconds for which a picture is shown."""


class Film:
    """Pictures of a viewer's window, each with the time for which it is shown."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.pictures: list[Image.Image] = []
        self.times: list[int] = []

    def take(self, milliseconds: int) -> None:
        """Add a picture, unless nothing has changed since the last one."""
        whole = self._scene.grab()
        height = round(WIDTH * whole.height / whole.width)
        picture = whole.resize((WIDTH, height), Image.Resampling.LANCZOS)
        if self.pictures and ImageChops.difference(picture, self.pictures[-1]).getbbox() is None:
            self.times[-1] += milliseconds
            return
        self.pictures.append(picture)
        self.times.append(milliseconds)

    def save(self, path: Path) -> None:
        """Write the animation, which repeats without end."""
        first, *others = self.pictures
        first.save(
            path, save_all=True, append_images=others, duration=self.times, loop=0, quality=QUALITY, method=6
        )
        print(f"{path}: {len(self.pictures)} pictures, {path.stat().st_size // 1024} kB")


def main() -> None:
    """Run with the defaults of the sample, and show what can be done with the result."""
    scene = Scene("panel", PATH.parent)
    dock, film = scene.dock, Film(scene)
    film.take(LONG)
    scene.viewer.layers["Front (photograph)"].visible = True
    scene.viewer.layers["Back (photograph)"].visible = True
    dock.view.side_by_side.value = True
    film.take(LONG)
    run = dock.run()
    while dock.busy and len(film.pictures) < MOST:
        since = time.monotonic()
        film.take(BRIEF)
        pump(until=lambda since=since: not dock.busy or time.monotonic() - since > LOOK_EVERY)
    pump(until=lambda: not dock.busy)
    scene.viewer.layers.selection.active = run.layers[0]
    dock.show_results()
    film.take(LONG)
    for shift in (0.05, 0.1, 0.15, 0.1, 0.05, 0.0):
        dock.brightness.sliders[0].value = shift
        film.take(BRIEF // 2)
    dock.result.further_section.unfolded = True
    film.take(BRIEF)
    box = next(box for box in dock.result.further.boxes.values() if box.text == "Uncertainty")
    box.value = True
    film.take(LONG)
    film.save(PATH)
    scene.close()


if __name__ == "__main__":
    main()
