"""What the first drawing needs is loaded before someone draws."""

from __future__ import annotations

import subprocess
import sys
import threading

from napari_bitsnet.widgets import task_widget

LOADED = """
import sys
from napari_bitsnet.widgets.layers.warming import load_drawing
from napari.layers import Points, Shapes
assert "pandas" not in sys.modules, "loaded anyway: load_drawing can go"
load_drawing()
known = set(sys.modules)
Shapes(ndim=2), Points(ndim=2)
print(sorted(name for name in set(sys.modules) - known))
"""


def test_the_first_drawing_loads_nothing_more():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_it_is_loaded_on_another_thread_after_the_devices_are_known(undocked, monkeypatch):
    threads = []
    monkeypatch.setattr(task_widget, "load_drawing", lambda: threads.append(threading.current_thread()))
    undocked.widget.device.show_devices({"auto": "CPU", "cpu": "CPU"})
    undocked.wait(lambda: bool(threads))
    assert threads[0] is not threading.main_thread()
