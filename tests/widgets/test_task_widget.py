"""The dock: every way into a run and out of it, in a real viewer where the window matters."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils import progress
from napari.utils.notifications import notification_manager

from napari_bitsnet.core.device import OutOfMemory
from napari_bitsnet.data import samples
from napari_bitsnet.tasks import xray
from napari_bitsnet.widgets import task_widget
from napari_bitsnet.widgets.preferences import Preferences
from napari_bitsnet.widgets.run.separation import runs_under_way
from napari_bitsnet.widgets.run.states import RunState

pytestmark = pytest.mark.gui

SOURCES = ["painting source 1", "painting source 2"]


def test_a_run_adds_layers_in_place_with_its_record(dock, fake_run, image):
    run = dock.widget.run()
    states = []
    run.states.changed.connect(states.append)
    dock.wait_idle()
    assert dock.names() == ["painting", *SOURCES]
    first = dock.viewer.layers[SOURCES[0]]
    np.testing.assert_array_equal(first.data, image * 0.25)
    np.testing.assert_allclose(first.scale, (0.5, 0.25))
    assert first.visible
    record = first.metadata["napari-bitsnet"]
    assert record["output"] == "source_1"
    assert record["layers"]["mixture"][0]["name"] == "painting"
    assert record["stop_reason"] == "iterations"
    json.dumps(record)
    assert states[-1] is RunState.IDLE
    assert dock.widget.bar.line.startswith("Done: 5 iterations")


def test_layers_appear_while_it_runs_and_contrast_stays(dock, fake_run):
    fake_run.hold_at = 2
    run = dock.widget.run()
    dock.wait(lambda: len(run.layers) == 2)
    assert dock.names() == ["painting", *SOURCES]
    assert run.states.current is RunState.RUNNING
    limits = list(run.layers[0].contrast_limits)
    changes = []
    run.layers[0].events.contrast_limits.connect(changes.append)
    dock.qtbot.wait(600)
    assert list(run.layers[0].contrast_limits) == limits
    assert not changes
    fake_run.go.set()
    dock.wait_idle()


def test_the_users_contrast_is_left_alone(undocked, fake_run):
    fake_run.hold_at = 2
    run = undocked.widget.run()
    undocked.wait(lambda: len(run.layers) == 2)
    run.layers[0].contrast_limits = (0.1, 0.2)
    fake_run.go.set()
    undocked.wait_idle()
    assert tuple(run.layers[0].contrast_limits) == (0.1, 0.2)


def test_stop_and_keep(dock, fake_run):
    fake_run.hold_at = 2
    run = dock.widget.run()
    dock.wait(lambda: run.states.current is RunState.RUNNING)
    dock.widget.bar.stop.changed.emit(True)
    assert run.states.current is RunState.STOPPING
    assert dock.widget.bar.stop.text == "Stopping…"
    dock.wait_idle()
    assert SOURCES[0] in dock.names()
    assert dock.viewer.layers[SOURCES[0]].metadata["napari-bitsnet"]["stop_reason"] == "stopped"
    assert dock.widget.bar.line.startswith("Stopped")


def test_discard_takes_the_layers_away_at_once(dock, fake_run):
    fake_run.hold_at = 2
    run = dock.widget.run()
    dock.wait(lambda: len(run.layers) == 2)
    dock.widget.bar.throw.changed.emit(True)
    assert not dock.widget.busy
    dock.wait(lambda: dock.names() == ["painting"])
    dock.wait(lambda: not runs_under_way())
    assert dock.names() == ["painting"]
    assert dock.widget.bar.line == "Discarded."
    assert not dock.widget.notice.visible


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("CUDA error: device-side assert"), "CUDA error: device-side assert (RuntimeError)"),
        (ValueError("Expected pixels, got none."), "Expected pixels, got none."),
        (StopIteration(), "StopIteration"),
        (KeyError("x"), "KeyError"),
    ],
)
def test_every_failure_is_said_and_leaves_the_dock_ready(undocked, fake_run, error, said):
    fake_run.error = error
    notification_manager.records.clear()
    undocked.widget.run()
    undocked.wait_idle()
    assert said in undocked.widget.notice.text
    assert undocked.widget.notice.kind == "error"
    assert [record.message for record in notification_manager.records] == [undocked.widget.notice.text]
    assert not any(hasattr(record, "exception") for record in notification_manager.records)
    assert undocked.names() == ["painting"]
    fake_run.error = None
    undocked.widget.run()
    undocked.wait_idle()
    assert SOURCES[0] in undocked.names()
    assert undocked.widget.notice.text == ""


def test_a_runtime_error_ends_the_run_in_the_real_viewer(dock, fake_run):
    fake_run.error = RuntimeError("CUDA error")  # superqt would swallow it
    dock.widget.run()
    dock.wait_idle()
    assert "CUDA error" in dock.widget.notice.text
    assert dock.widget.bar.run.native.isVisibleTo(dock.widget.native)
    assert not progress._all_instances


def test_a_late_failure_leaves_what_there_is_marked_as_unfinished(dock, fake_run):
    fake_run.hold_at, fake_run.error = 3, RuntimeError("late")
    run = dock.widget.run()
    dock.wait(lambda: dock.widget.bar.progress > 0.5)
    dock.qtbot.wait(300)
    fake_run.go.set()
    dock.wait_idle()
    assert dock.names() == ["painting", *(f"{name} (unfinished)" for name in SOURCES)]
    assert "late" in run.layers[0].metadata["napari-bitsnet"]["stop_reason"]


def test_out_of_memory_offers_a_smaller_run(undocked, fake_run):
    fake_run.error = OutOfMemory("The memory of cuda:0 is full.")
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.widget.notice.actions == ["Retry at half the size", "Retry on the CPU"]
    fake_run.error = None
    undocked.widget.notice.press("Retry at half the size")
    undocked.wait_idle()
    assert fake_run.calls[-1].settings.size_limit == 32
    assert SOURCES[0] in undocked.names()


def test_out_of_memory_offers_the_cpu(undocked, fake_run):
    fake_run.error = OutOfMemory("full")
    undocked.widget.run()
    undocked.wait_idle()
    fake_run.error = None
    undocked.widget.notice.press("Retry on the CPU")
    undocked.wait_idle()
    assert fake_run.calls[-1].settings.device == "cpu"


def test_deleting_a_preview_layer_only_stops_its_updates(dock, fake_run):
    fake_run.hold_at = 2
    run = dock.widget.run()
    dock.wait(lambda: len(run.layers) == 2)
    dock.viewer.layers.remove(SOURCES[0])
    dock.qtbot.wait(400)
    fake_run.go.set()
    dock.wait_idle()
    assert dock.names() == ["painting", SOURCES[1]]


def test_deleting_the_input_does_not_stop_the_run(dock, fake_run):
    fake_run.hold_at = 2
    run = dock.widget.run()
    dock.wait(lambda: len(run.layers) == 2)
    dock.viewer.layers.remove("painting")
    fake_run.go.set()
    dock.wait_idle()
    assert dock.names() == SOURCES


def test_closing_the_dock_is_stop_and_keep(dock, fake_run):
    fake_run.hold_at = 2
    run = dock.widget.run()
    dock.wait(lambda: len(run.layers) == 2)
    dock.viewer.window.remove_dock_widget(dock.widget.native)
    dock.wait(lambda: not run.states.busy)
    assert dock.names() == ["painting", *SOURCES]
    assert run.layers[0].metadata["napari-bitsnet"]["stop_reason"] == "stopped"


def test_closing_the_viewer_ends_the_run(dock, fake_run):
    fake_run.hold_at = 2
    run = dock.widget.run()
    dock.wait(lambda: len(run.layers) == 2)
    # the viewer is closed by its fixture; the run has to be over afterwards, without an error (see conftest)


def test_a_worker_that_napari_quits_leaves_the_dock_ready(undocked, fake_run):
    fake_run.hold_at = 2
    run = undocked.widget.run()
    undocked.wait(lambda: run.states.current is RunState.RUNNING)
    abandoned = run._worker  # still referred to, as it is by napari
    abandoned.quit()
    undocked.wait_idle()
    assert undocked.widget.bar.line == "Discarded."
    fake_run.hold_at = None
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.widget.bar.line.startswith("Done")
    assert abandoned.abort_requested


def test_a_second_run_while_busy_is_refused(dock, fake_run):
    fake_run.hold_at = 1
    run = dock.widget.run()
    assert dock.widget.run() is None
    assert "under way" in dock.widget.notice.text
    assert dock.widget.separation is run
    fake_run.go.set()
    dock.wait_idle()
    assert len(fake_run.calls) == 1


def test_a_run_after_a_run_adds_new_layers(undocked, fake_run):
    for _ in range(2):
        undocked.widget.run()
        undocked.wait_idle()
    assert undocked.names()[-2:] == ["painting source 1 [1]", "painting source 2 [1]"]


def test_without_an_image_it_says_what_is_missing(undocked):
    undocked.viewer.layers.clear()
    assert undocked.widget.run() is None
    assert "Choose a layer for Image" in undocked.widget.notice.text
    assert not undocked.widget.busy


def test_cancel_in_the_activity_dock_is_stop_and_keep(dock, fake_run):
    fake_run.hold_at = 2
    run = dock.widget.run()
    dock.wait(lambda: run.states.current is RunState.RUNNING)
    run._activity._bar.cancel()
    dock.wait_idle()
    assert dock.viewer.layers[SOURCES[0]].metadata["napari-bitsnet"]["stop_reason"] == "stopped"


@pytest.mark.parametrize(
    "words", ["Not separable from this image alone: copies.", "Hardly told apart: the confidence is .1."]
)
def test_not_separable_names_the_ways_out(undocked, fake_run, words):
    fake_run.warnings = (words,)
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.widget.notice.kind == "warning"
    assert words in undocked.widget.notice.text
    assert "Paint hints" in undocked.widget.notice.actions
    undocked.widget.notice.press("Paint hints")
    hints = undocked.viewer.layers["painting hints"]
    assert hints.data.shape == (24, 32)
    assert undocked.widget.inputs.chosen("hints") == [hints]


def test_warnings_on_the_way_are_said(undocked, fake_run, monkeypatch):
    original = fake_run.iterate

    def warn(request, stop, new_hints):
        warnings.warn_explicit("Resampled guide 1.", UserWarning, xray.__file__, 1)
        warnings.warn_explicit("Not ours.", UserWarning, np.__file__, 1)
        return (yield from original(request, stop, new_hints))

    monkeypatch.setattr(fake_run, "iterate", warn)
    undocked.widget.run()
    undocked.wait_idle()
    assert (undocked.widget.notice.kind, undocked.widget.notice.text) == ("warning", "Resampled guide 1.")
    undocked.widget.control.run()
    undocked.widget.discard()
    undocked.wait_idle()
    assert not undocked.widget.notice.text


def test_continue_goes_on_with_the_same_layers(undocked, fake_run, monkeypatch):
    import napari_bitsnet.api

    asked = []

    def more(result, *, iterations, stop, hints, new_hints):
        asked.append(iterations)
        return fake_run.iterate(undocked.widget.separation.request, stop)

    monkeypatch.setattr(napari_bitsnet.api, "iter_resume", more)
    undocked.widget.method.method.choose("bitsnet")
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.widget.bar.more.text == "Continue +50"
    layers = undocked.widget.separation.layers
    undocked.widget.control.continue_run()
    undocked.wait_idle()
    assert asked == [50]
    assert undocked.widget.separation.layers == layers


def test_a_changed_form_gives_the_memory_back(undocked, fake_run):
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.widget.separation.result.state is not None
    undocked.widget.method.preset.choose("quick")
    assert undocked.widget.separation.result.state is None
    undocked.widget.control.continue_run()
    assert not undocked.widget.busy


def test_settings_come_back_as_they_were_given(undocked):
    changed = undocked.widget.settings.updated(
        {
            "method": "bitsnet",
            "preset": "quick",
            "settings": {"iterations": 7},
            "seed": 3,
            "options": {"n_sources": 3},
        }
    )
    undocked.widget.settings = changed
    assert undocked.widget.settings == changed


def test_ctrl_enter_runs(undocked, fake_run):
    from qtpy.QtGui import QShortcut

    keys = {s.key().toString(): s for s in undocked.widget.native.findChildren(QShortcut)}
    keys["Ctrl+Return"].activated.emit()
    assert undocked.widget.busy
    undocked.wait_idle()


def test_one_image_alone_and_all_as_before(undocked, fake_run):
    view = undocked.widget.view
    assert len(view.alone.choices) == 2
    undocked.widget.run()
    undocked.wait_idle()
    layers = undocked.viewer.layers
    before = [layer.visible for layer in layers]
    view.alone.choose(layers[SOURCES[0]])
    assert [layer.name for layer in layers if layer.visible] == [SOURCES[0]]
    view.alone.choose(layers["painting"])
    assert [layer.name for layer in layers if layer.visible] == ["painting"]
    view.alone.choose("all")
    assert [layer.visible for layer in layers] == before


def test_side_by_side(dock, fake_run):
    dock.widget.view.side_by_side.value = True
    assert dock.viewer.canvas.grid.enabled
    dock.widget.view.side_by_side.value = False
    assert not dock.viewer.canvas.grid.enabled


def test_all_sources_of_the_first_run_are_side_by_side_while_they_come_apart(dock, fake_run):
    fake_run.hold_at = 2
    grid = dock.viewer.canvas.grid
    dock.widget.run()
    assert not grid.enabled
    dock.wait(lambda: grid.enabled)
    assert dock.widget.busy
    assert dock.widget.view.side_by_side.value
    fake_run.go.set()
    dock.wait_idle()
    shown = {dock.viewer.layers[i].name for _, cell in grid.iter_viewboxes(dock.viewer.layers) for i in cell}
    assert shown == {"painting", *SOURCES}


def test_nobody_is_put_side_by_side_twice(undocked, fake_run):
    view, grid = undocked.widget.view, undocked.viewer.canvas.grid
    undocked.widget.run()
    undocked.wait_idle()
    assert grid.enabled
    grid.enabled = False  # napari's own button
    assert not view.side_by_side.value
    undocked.widget.run()
    undocked.wait_idle()
    assert not grid.enabled


@pytest.mark.parametrize("arrange", [{"stride": 2}, {"shape": (1, 5)}, {"enabled": True, "stride": -1}])
def test_a_grid_that_was_set_up_is_left_alone(image, qtbot, fake_run, arrange):
    for before in (True, False):
        viewer = ViewerModel()
        viewer.add_image(image, name="painting")
        grid = viewer.canvas.grid
        if before:
            grid.update(arrange)
        widget = task_widget.TaskWidget(viewer)
        grid.update(arrange)
        widget.run()
        qtbot.waitUntil(lambda widget=widget: not widget.busy, timeout=20_000)
        assert {name: getattr(grid, name) for name in arrange} == arrange
        assert grid.enabled is arrange.get("enabled", False)
        assert widget.view.side_by_side.value is grid.enabled


def test_whoever_draws_is_not_disturbed(undocked, fake_run):
    undocked.widget.paint_hints()
    undocked.widget.run()
    undocked.wait_idle()
    assert not undocked.viewer.canvas.grid.enabled
    undocked.viewer.layers.selection.active.mode = "pan_zoom"
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.viewer.canvas.grid.enabled


def test_side_by_side_by_itself_can_be_turned_off(image, qtbot, fake_run, monkeypatch):
    monkeypatch.setattr(task_widget, "preferences", lambda: Preferences(side_by_side=False))
    viewer = ViewerModel()
    viewer.add_image(image, name="painting")
    widget = task_widget.TaskWidget(viewer)
    widget.run()
    qtbot.waitUntil(lambda: not widget.busy, timeout=20_000)
    assert not viewer.canvas.grid.enabled


def test_hidden_layers_do_not_move_the_view(undocked, fake_run, monkeypatch):
    undocked.widget.run()
    undocked.wait_idle()
    resets = []
    monkeypatch.setattr(ViewerModel, "reset_view", lambda self, **options: resets.append(1))
    undocked.viewer.add_image(np.zeros((4, 4)), name="hidden", visible=False)
    assert resets == []
    undocked.viewer.layers["hidden"].visible = True
    undocked.viewer.layers.move(0, 2)
    assert resets


def test_an_opened_sample_brings_its_task(undocked):
    undocked.viewer.layers.clear()
    for array, look, _ in samples.two_mixtures():
        undocked.viewer.add_image(array, **look)
    names = [None if layer is None else layer.name for layer in undocked.widget.inputs.chosen("mixture")]
    assert undocked.widget.task.task_name == "multi_mixture"
    assert names == ["Mixture 1", "Mixture 2", None]


def test_an_opened_sample_brings_its_mask(undocked):
    undocked.viewer.layers.clear()
    for array, look, kind in samples.missing_pixels():
        getattr(undocked.viewer, "add_image" if kind == "image" else "add_labels")(array, **look)
    assert undocked.widget.task.task_name == "inpaint"
    assert [layer.name for layer in undocked.widget.inputs.chosen("mask")] == ["Missing"]
    request = undocked.widget.form.request()
    assert request.mask.array.any()


def test_an_opened_film_is_separated_as_one(undocked):
    part = undocked.widget.form.part
    array, look, _ = samples.film()[0]
    undocked.viewer.layers.clear()
    undocked.viewer.add_image(array, **look)
    assert undocked.widget.task.task_name == "separate"
    assert part.slices.value == "all"
    assert undocked.widget.form.request().mixtures[0].array.shape == array.shape
    part.slices.choose("current")
    undocked.viewer.add_image(np.zeros((4, 4)))
    assert part.slices.value == "current"


def test_a_task_that_was_chosen_stays(undocked):
    undocked.widget.task.apply("separate", {})
    undocked.widget.task.task_changed.emit()
    for array, look, _ in samples.two_mixtures()[:1]:
        undocked.viewer.add_image(array, **look)
    assert undocked.widget.task.task_name == "separate"


def test_the_live_preview_can_be_switched_during_a_run(undocked, fake_run):
    fake_run.hold_at = 2
    undocked.widget.bar.live.value = False
    run = undocked.widget.run()
    undocked.wait(lambda: run.states.current is RunState.RUNNING)
    undocked.qtbot.wait(400)
    assert run.layers == []
    undocked.widget.bar.live.value = True
    undocked.wait(lambda: len(run.layers) == 2)
    fake_run.go.set()
    undocked.wait_idle()
