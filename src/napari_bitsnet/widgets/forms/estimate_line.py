"""Estimate of a run's time and memory in one line, amber if the memory is not available."""

from __future__ import annotations

import math
import os
import re
from typing import Any

from magicgui.widgets import Container

from napari_bitsnet.api.estimate import estimate, in_words, learn
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.widgets.forms.device_box import AMBER
from napari_bitsnet.widgets.forms.rows import Text
from napari_bitsnet.widgets.layers.parts import layer_shape
from napari_bitsnet.widgets.remembered import recall, remember

FILE = "timings"

UNKNOWN = "The time on this machine is known after the first run."


class EstimateLine(Container):
    """Line with the expected time and memory of a run; it is calibrated by every finished run."""

    def __init__(self) -> None:
        self._line = Text()
        super().__init__(widgets=[self._line], labels=False)
        self.margins = (0, 0, 0, 0)

    @property
    def text(self) -> str:
        """Return the shown text."""
        return str(self._line.value)

    def show_nothing(self) -> None:
        """Clear the line, because an input is missing."""
        self._say("")

    def show_run(
        self, settings: RunSettings, size: tuple[int, int], n_sources: int, n_planes: int, device: str
    ) -> None:
        """Estimate a run.

        Parameters
        ----------
        settings : RunSettings
            Of the run.
        size : (Y, X)
            Of a plane in pixels.
        n_sources, n_planes : int
            Sources and slices.
        device : str
            What is said about the device: ``"cuda:0 … (21.3 GiB free)"``.
        """
        kind = device.split()[0].lower() if device else "cpu"
        expected = estimate(
            settings, size, n_sources=n_sources, n_planes=n_planes, device=kind, learnt=known_times()
        )
        if not expected.known:
            self._say(UNKNOWN)
            return
        free = free_mebibytes(device)
        short = expected.mebibytes is not None and free is not None and expected.mebibytes > free
        text = in_words(expected.seconds, expected.mebibytes)
        self._say(
            f"⚠ {text}, which is more than is free. Set the working size below {settings.size_limit}, or "
            "separate a region first."
            if short
            else text,
            amber=short,
        )

    def learn(
        self,
        settings: RunSettings,
        size: tuple[int, int],
        seconds: float,
        *,
        n_sources: int,
        n_planes: int,
        device: str,
        iterations: int,
    ) -> None:
        """Remember how long a run took; see `napari_bitsnet.api.estimate.learn`."""
        learnt = learn(
            settings,
            size,
            seconds,
            n_sources=n_sources,
            n_planes=n_planes,
            device=device,
            iterations=iterations,
            learnt=known_times(),
        )
        remember(FILE, learnt)

    def _say(self, text: str, *, amber: bool = False) -> None:
        self._line.value = text
        self._line.visible = bool(text)
        edge = f"border-left: 4px solid {AMBER}; padding-left: 4px;" if amber else ""
        self._line.native.setStyleSheet(edge)


def known_times() -> dict[str, float]:
    """Return the stored times of earlier runs; invalid entries are ignored."""
    known = recall(FILE).items()
    return {run: float(time) for run, time in known if isinstance(time, int | float) and 0 < time < math.inf}


def free_mebibytes(device: str) -> float | None:
    """Return the free memory from a device's description; for the CPU from the system, if it is known."""
    told = re.search(r"\(([\d.]+) GiB free\)", device)
    if told:
        return float(told[1]) * 1024
    if not device.lower().startswith("cpu"):
        return None
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def plane_count(layer: Any, *, all_slices: bool) -> int:
    """Return the number of slices of a run."""
    return math.prod(layer_shape(layer)[:-2]) if all_slices else 1
