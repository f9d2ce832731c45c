"""Runs the viewer's tests with and without a display."""

from __future__ import annotations

import os
import sys

import pytest

# small images: a second thread costs more than it brings, most of all where another process runs
os.environ.setdefault("OMP_NUM_THREADS", "1")

HEADLESS = sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
if HEADLESS:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session")
def _without_gl():
    """Let napari add image layers where there is no OpenGL context (vispy issue 2736).

    vispy asks a context that does not exist for its extensions and limits; what is answered here only has
    to be plausible, since nothing is drawn.
    """
    if os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        yield
        return
    import napari._vispy.canvas
    import napari._vispy.layers.base
    import napari._vispy.layers.image  # noqa: F401

    patch = pytest.MonkeyPatch()
    for name, module in list(sys.modules.items()):
        if name.startswith("napari._vispy"):
            if hasattr(module, "get_gl_extensions"):
                patch.setattr(module, "get_gl_extensions", lambda: "")
            if hasattr(module, "get_max_texture_sizes"):
                patch.setattr(module, "get_max_texture_sizes", lambda: (16384, 2048))
    yield
    patch.undo()


@pytest.fixture
def few_windows(monkeypatch):
    """Let the trained networks, from which other methods start too, look through 9 windows instead of 38."""
    monkeypatch.setattr("napari_bitsnet.methods.feedforward.split.LOOKS", [128, 192, 192])
