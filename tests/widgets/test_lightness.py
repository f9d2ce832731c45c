"""Opening the dock loads no PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import napari
viewer = napari.Viewer(show=False)
_, widget = viewer.window.add_plugin_dock_widget("napari-bitsnet")
for name in widget.task.names():
    widget.task.apply(name, {})
loaded = [m for m in ("torch", "sklearn") if m in sys.modules]
viewer.close()
print("loaded:", loaded)
"""


@pytest.mark.gui
def test_opening_the_dock_and_all_its_forms_loads_no_torch(tmp_path):
    env = {**os.environ, "NAPARI_CONFIG": str(tmp_path / "settings.yaml")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], env=env, capture_output=True, text=True, timeout=300
    )
    assert "loaded: []" in done.stdout, done.stdout + done.stderr
