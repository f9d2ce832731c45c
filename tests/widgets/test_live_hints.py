"""Hints painted while a run goes on, and areas that are given to the other source after it."""

from __future__ import annotations

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.data.panel import simulate_panel
from napari_bitsnet.widgets.run.states import RunState

pytestmark = pytest.mark.filterwarnings("ignore::napari_bitsnet.api.notices.NotSeparatedWarning")


def test_what_is_painted_during_a_run_reaches_it(dock, fake_run):
    fake_run.hold_at = 2
    dock.widget.method.method.choose("bitsnet")
    run = dock.widget.run()
    dock.wait(lambda: run.states.current is RunState.RUNNING)
    dock.widget.inputs.paint_wanted.emit()
    hints = dock.viewer.layers["painting hints"]
    assert hints.mode == "paint"
    assert dock.viewer.layers.selection.active == hints
    hints.selected_label = 2
    for x in (10, 14, 18):
        hints.paint((8, x), 2)
    dock.wait(lambda: bool(fake_run.hints))
    assert len(fake_run.hints) == 1  # told once the brush rests
    np.testing.assert_array_equal(fake_run.hints[0], hints.data)
    assert fake_run.hints[0].max() == 2
    hints.undo()
    dock.wait(lambda: len(fake_run.hints) == 2)
    fake_run.go.set()
    dock.wait_idle()
    assert run.request.hints.name == "painting hints"
    assert run.result.state is not None  # other hints do not make the result one of another form
    assert dock.widget.control.can_continue


def test_hints_painted_afterwards_are_offered_to_go_on_with(undocked, fake_run, monkeypatch):
    import napari_bitsnet.api

    asked = []

    def more(result, *, iterations, stop, hints, new_hints):
        asked.append((iterations, hints))
        return fake_run.iterate(undocked.widget.separation.request, stop)

    monkeypatch.setattr(napari_bitsnet.api, "iter_resume", more)
    undocked.widget.method.method.choose("bitsnet")
    undocked.widget.run()
    undocked.wait_idle()
    undocked.widget.paint_hints()
    undocked.qtbot.wait(600)
    assert undocked.widget.notice.text == ""  # an empty layer says nothing
    undocked.viewer.layers["painting hints"].data[3:6, 4:9] = 1
    undocked.viewer.layers["painting hints"].refresh()
    undocked.wait(lambda: undocked.widget.notice.actions == ["Go on with them"])
    undocked.widget.notice.press("Go on with them")
    undocked.wait_idle()
    ((iterations, hints),) = asked
    assert iterations == 50
    assert (hints == 1).sum() == 15


def test_hints_that_come_too_late_for_a_run_are_offered_after_it(undocked, fake_run):
    fake_run.hold_at = 5
    run = undocked.widget.run()
    undocked.wait(lambda: run.states.current is RunState.RUNNING)
    undocked.widget.paint_hints()
    layer = undocked.viewer.layers["painting hints"]
    fake_run._look_for_hints = lambda new_hints: None
    layer.data[:4, :4] = 1
    layer.refresh()
    undocked.wait(lambda: run.has_new_hints)
    fake_run.go.set()
    undocked.wait_idle()
    assert undocked.widget.notice.actions == ["Go on with them"]


def test_an_area_is_given_to_the_other_source(undocked):
    made = simulate_panel(0, (48, 56))
    viewer, widget = undocked.viewer, undocked.widget
    viewer.layers.clear()
    place = {"scale": (0.5, 0.25), "translate": (3, 4)}
    xray = viewer.add_image(made.mixture, name="x-ray", **place)
    guides = [viewer.add_image(g, name=f"guide {k}", rgb=True, **place) for k, g in enumerate(made.guides)]
    widget.task.apply("xray", {})
    widget.inputs.choose("mixture", [xray])
    widget.inputs.choose("guides", guides)
    widget.method.preset.choose("quick")
    run = widget.run()
    undocked.wait_idle()
    layers, before = run.layers, [layer.data.copy() for layer in run.layers[:2]]
    assert [button.text for button in widget.areas.buttons] == ["→ source 1", "→ source 2"]

    widget.areas.buttons[1].changed.emit(True)
    assert "Draw around what is in the wrong source" in widget.notice.text
    widget.notice.press("Mark an area")
    undocked.wait(lambda: "area" in viewer.layers)
    area = viewer.layers["area"]
    assert area.mode == "add_polygon_lasso"
    corners = [xray.data_to_world(p) for p in ((15.5, 19.5), (15.5, 35.5), (29.5, 35.5), (29.5, 19.5))]
    area.add_polygons([np.array(corners)])
    widget.areas.buttons[1].changed.emit(True)
    undocked.wait_idle()

    labels = np.zeros(made.mixture.shape, np.uint8)
    labels[16:30, 20:36] = 2
    np.testing.assert_array_equal(viewer.layers["x-ray hints"].data, labels)
    np.testing.assert_allclose(viewer.layers["x-ray hints"].translate, (3, 4))
    assert area not in viewer.layers
    assert not viewer.layers["x-ray hints"].visible
    assert run.layers == layers  # the same ones, changed
    expected = nb.run("xray", made.mixture, guides=made.guides, hints=labels, preset="quick")
    for k in range(2):
        np.testing.assert_array_equal(run.layers[k].data, expected.sources[k])
        assert not np.array_equal(run.layers[k].data, before[k])
    assert run.layers[0].metadata["napari-bitsnet"]["layers"]["hints"]["name"] == "x-ray hints"

    widget.areas.mark.changed.emit(True)
    undocked.wait(lambda: "area" in viewer.layers)
    area = viewer.layers["area"]
    area.add_polygons([np.array([xray.data_to_world(p) for p in ((0, 0), (0, 6), (6, 6), (6, 0))])])
    widget.areas.give(1)
    undocked.wait_idle()
    assert set(np.unique(viewer.layers["x-ray hints"].data)) == {0, 1, 2}
    assert sum(layer.name.startswith("x-ray hints") for layer in viewer.layers) == 1
