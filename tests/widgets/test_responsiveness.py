"""What is changed for the time of a run is put back after it."""

from __future__ import annotations

import gc
import os
import sys
import threading

import pytest

from napari_bitsnet.widgets.run.preview import SAMPLED, contrast_limits
from napari_bitsnet.widgets.run.responsiveness import COURTESY, SWITCH, favour_viewer, step_back, treat_alike
from napari_bitsnet.widgets.run.turns import in_turns


def test_it_is_put_back_once(undocked, fake_run):
    before = sys.getswitchinterval()
    frozen = gc.get_freeze_count()
    fake_run.hold_at = 1
    undocked.widget.run()
    assert sys.getswitchinterval() == pytest.approx(SWITCH)
    assert gc.get_freeze_count() > frozen + 1000
    favour_viewer()  # a second run beside it
    fake_run.go.set()
    undocked.wait_idle()
    assert sys.getswitchinterval() == pytest.approx(before)
    assert gc.get_freeze_count() == 0
    treat_alike()
    assert sys.getswitchinterval() == pytest.approx(before)


def test_layers_come_one_a_turn(undocked, fake_run):
    seen, turn = [], [0]
    undocked.viewer.layers.events.inserted.connect(lambda event: seen.append(turn[0]))

    def count():
        while undocked.widget.busy:
            turn[0] += 1
            yield

    undocked.widget.run()
    in_turns(count())
    undocked.wait_idle()
    assert len(seen) == 2  # the sources; the residual has a layer once it is asked for
    assert len(set(seen)) == 2


def test_pieces_of_work_and_what_follows_them(qtbot):
    done = []
    in_turns(iter([1, 2]), lambda: done.append("then"))
    assert done == []
    qtbot.waitUntil(lambda: done == ["then"], timeout=5000)

    def broken():
        raise KeyError("x")
        yield

    with pytest.raises(KeyError):
        in_turns(broken(), lambda: done.append("after"))
    assert done == ["then", "after"]


def test_contrast_of_large_images_is_that_of_a_sample():
    import numpy as np

    large = np.random.default_rng(0).normal(size=(1200, 1000)).astype(np.float32)
    assert large.size > 10 * SAMPLED
    low, high = contrast_limits(large)
    assert low == pytest.approx(np.percentile(large, 0.1), abs=0.15)
    assert high == pytest.approx(np.percentile(large, 99.9), abs=0.15)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
def test_a_thread_that_computes_steps_back_and_the_viewer_does_not():
    seen = []

    def compute() -> None:
        step_back()
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    assert seen == [max(before, COURTESY)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
