"""Every way out of a run, one after the other in one real viewer: idle, nothing held, nothing left over."""

from __future__ import annotations

import gc
import threading
import weakref
from types import SimpleNamespace

import pytest
from napari.utils import progress
from qtpy.QtCore import QThreadPool

from napari_bitsnet.core.device import OutOfMemory
from napari_bitsnet.widgets.run import worker
from napari_bitsnet.widgets.run.separation import runs_under_way

pytestmark = pytest.mark.gui

ALL = ["painting source 1", "painting source 2"]


class State(SimpleNamespace):
    """Stands in for a session with its networks."""


def own_threads():
    """Threads but those of Qt's pool, which stay for a while to be used again."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("Dummy")}


def stop(dock, run):
    dock.widget.bar.stop.changed.emit(True)


def discard(dock, run):
    dock.widget.bar.throw.changed.emit(True)


def delete_preview(dock, run):
    dock.viewer.layers.remove("painting source 1")
    run_on(dock, run)


def delete_input(dock, run):
    dock.viewer.layers.remove("painting")
    run_on(dock, run)


def run_again(dock, run):
    assert dock.widget.run() is None
    run_on(dock, run)


def quit_worker(dock, run):
    run._worker.quit()


def run_on(dock, run):
    """Nothing happens."""


EXITS = [
    # what happens while it runs, error, layers that stay beside the painting, the line, the notice
    ("done", run_on, None, ALL, "Done", ""),
    ("kept", stop, None, ALL, "Stopped", ""),
    ("discarded", discard, None, [], "Discarded.", ""),
    ("failed", run_on, RuntimeError("CUDA error"), [f"{n} (unfinished)" for n in ALL[:2]], "", "CUDA error"),
    ("out of memory", run_on, OutOfMemory("full"), [f"{n} (unfinished)" for n in ALL[:2]], "", "full"),
    ("preview deleted", delete_preview, None, ALL[1:], "Done", ""),
    ("input deleted", delete_input, None, ALL, "Done", ""),
    ("second run", run_again, None, ALL, "Done", "under way"),
    ("worker quit", quit_worker, None, None, "Discarded.", ""),
]


def test_every_way_out_leaves_the_dock_idle_and_nothing_behind(dock, fake_run, image):
    widget, viewer = dock.widget, dock.viewer
    threads = before = None
    parts = vars(fake_run.state)
    for name, act, error, left, line, said in EXITS:
        viewer.layers.clear()
        viewer.add_image(image, name="painting")
        fake_run.hold_at, fake_run.error, fake_run.state = 2, error, State(**parts)
        fake_run.go.clear()
        held = weakref.ref(fake_run.state)
        run = widget.run()
        dock.wait(lambda run=run: len(run.layers) == 2 and run._steps_shown > 0)
        act(dock, run)
        fake_run.go.set()
        dock.wait_idle()
        dock.wait(lambda: not runs_under_way())  # of a discarded run the worker may still be at it
        assert not progress._all_instances, name
        assert not any(lock.locked() for lock in worker._LOCKS.values()), name
        assert widget.bar.run.native.isVisibleTo(widget.native), name
        assert not widget.bar.stop.native.isVisibleTo(widget.native), name
        assert widget.bar.line.startswith(line), name
        assert said in widget.notice.text, name
        if left is not None:
            dock.wait(lambda left=left: [n for n in dock.names() if n != "painting"] == left)
        # what the networks would need is given back as soon as something else is wanted
        fake_run.state, fake_run.calls = None, []
        widget.method.preset.choose("quick" if widget.method.preset.value != "quick" else "balanced")
        del run
        if held() is not None:
            gc.collect()
        assert held() is None, name
        dock.wait(lambda: QThreadPool.globalInstance().activeThreadCount() == 0)
        viewer.layers.clear()
        events = viewer.layers.events
        now = {kind: len(getattr(events, kind).callbacks) for kind in ("inserted", "removed", "reordered")}
        if before is None:
            before, threads = now, own_threads()
        assert now == before, name
        assert own_threads() <= threads, name


def test_closing_the_dock_gives_everything_back(dock, fake_run):
    fake_run.hold_at, fake_run.state = 2, State(**vars(fake_run.state))
    held = weakref.ref(fake_run.state)
    run = dock.widget.run()
    dock.wait(lambda: len(run.layers) == 2)
    dock.viewer.window.remove_dock_widget(dock.widget.native)
    dock.wait(lambda: not run.states.busy)
    dock.qtbot.wait(50)
    fake_run.state = None
    assert run.result.state is None
    if held() is not None:
        gc.collect()
    assert held() is None
    assert not any(lock.locked() for lock in worker._LOCKS.values())
