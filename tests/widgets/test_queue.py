"""Several selected layers are separated one after another, as single runs would be."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils.notifications import notification_manager

from napari_bitsnet.widgets.run.bar import RunBar
from napari_bitsnet.widgets.run.states import RunState

pytestmark = pytest.mark.gui


def add_sheets(dock, image, count: int = 2):
    """Add images and select them with the first one."""
    sheets = [dock.viewer.add_image(image + k, name=f"sheet {k}") for k in range(1, count + 1)]
    layers = [dock.viewer.layers["painting"], *sheets]
    dock.viewer.layers.selection = set(layers)
    return layers


def mixtures(fake_run) -> list[str]:
    return [request.mixtures[0].name for request in fake_run.calls]


@pytest.fixture
def places(monkeypatch) -> list[str]:
    """What the bar says about the place in the queue."""
    said, show = [], RunBar.show_place

    def noted(bar, text):
        show(bar, text)
        said.append(bar._place.value if bar._place.native.isVisibleTo(bar.native) else "")

    monkeypatch.setattr(RunBar, "show_place", noted)
    return said


def test_the_button_counts_the_selected_images(dock, image):
    bar, layers = dock.widget.bar, dock.viewer.layers
    assert not bar.each.visible
    chosen = add_sheets(dock, image)
    assert bar.each.native.isVisibleTo(dock.widget.native)
    assert bar.each.text == "Run on 3 selected layers"
    assert "painting, sheet 1, sheet 2" in bar.each.tooltip
    labels = dock.viewer.add_labels(np.zeros(image.shape, np.uint8), name="hints")
    layers.selection = {*chosen[:2], labels}
    assert bar.each.text == "Run on 2 selected layers"
    layers.selection = {chosen[0], labels}
    assert not bar.each.visible


def test_guides_and_tasks_of_several_mixtures_are_left_out(undocked, image):
    chosen, bar = add_sheets(undocked, image), undocked.widget.bar
    undocked.widget.task.apply("xray", {})
    undocked.widget.inputs.choose("guides", [chosen[2], None])
    assert undocked.widget.form.selected() == chosen[:2]
    assert bar.each.text == "Run on 2 selected layers"
    undocked.widget.task.apply("multi_mixture", {})
    assert undocked.widget.form.selected() == []
    assert not bar.each.visible


def test_each_layer_is_the_image_once(dock, fake_run, image, places):
    chosen = add_sheets(dock, image)
    dock.widget.method.preset.choose("quick")
    dock.widget.bar.each.changed.emit(True)
    dock.wait_idle()
    assert mixtures(fake_run) == ["painting", "sheet 1", "sheet 2"]
    assert places == ["1 of 3: painting", "2 of 3: sheet 1", "3 of 3: sheet 2", ""]
    for request in fake_run.calls:
        assert request.settings == fake_run.calls[0].settings
    for layer in chosen:
        result = dock.viewer.layers[f"{layer.name} source 1"]
        np.testing.assert_allclose(result.data, layer.data * 0.25)
        record = result.metadata["napari-bitsnet"]
        assert record["layers"]["mixture"][0]["name"] == layer.name
        assert record["settings"]["preset"] == "quick"
    assert dock.widget.bar.line == "3 layers: 3 done."
    assert not dock.widget.notice.visible
    dock.widget.run()  # a single run is as before
    dock.wait_idle()
    assert dock.widget.bar.line.startswith("Done: 5 iterations")


def test_guides_hints_and_mask_are_those_of_the_form(undocked, fake_run, image):
    chosen = add_sheets(undocked, image)
    guide = undocked.viewer.add_image(image[::-1], name="guide", scale=(0.5, 0.25))
    labels = undocked.viewer.add_labels(np.ones(image.shape, np.uint8), name="labels")
    undocked.widget.task.apply("xray", {})
    undocked.widget.inputs.choose("guides", [guide, None])
    undocked.widget.inputs.choose("hints", [labels])
    undocked.widget.inputs.choose("mask", [labels])
    undocked.widget.run_each(chosen)
    undocked.wait_idle()
    assert len(fake_run.calls) == 3
    for request in fake_run.calls:
        assert request.guides[0].name == "guide"
        assert request.hints.name == request.mask.name == "labels"


@pytest.mark.parametrize(
    ("button", "ending", "kept"), [("stop", "stopped", True), ("throw", "discarded", False)]
)
def test_stop_and_discard_leave_the_rest_unstarted(dock, fake_run, image, button, ending, kept):
    chosen = add_sheets(dock, image)
    dock.widget.run_each(chosen)
    dock.wait(lambda: len(fake_run.calls) == 1)
    fake_run.hold_at = 2  # the second run waits
    dock.wait(lambda: len(fake_run.calls) == 2 and dock.widget.bar.progress > 0)
    getattr(dock.widget.bar, button).changed.emit(True)
    dock.wait_idle()
    dock.qtbot.wait(100)
    assert mixtures(fake_run) == ["painting", "sheet 1"]
    assert dock.widget.bar.line == f"3 layers: 1 done, 1 {ending}, 1 not started."
    assert "painting source 1" in dock.names()
    dock.wait(lambda: ("sheet 1 source 1" in dock.names()) is kept)
    assert "sheet 2 source 1" not in dock.names()
    assert dock.widget.control.queue is None


def test_cancel_in_naparis_bar_leaves_the_rest_unstarted(dock, fake_run, image):
    fake_run.hold_at = 2
    run = dock.widget.run_each(add_sheets(dock, image))
    dock.wait(lambda: run.states.current is RunState.RUNNING)
    run._activity._bar.cancel()
    dock.wait_idle()
    assert mixtures(fake_run) == ["painting"]
    assert dock.widget.bar.line == "3 layers: 1 stopped, 2 not started."


def test_closing_the_dock_leaves_the_rest_unstarted(dock, fake_run, image):
    fake_run.hold_at = 2
    run = dock.widget.run_each(add_sheets(dock, image))
    dock.wait(lambda: len(run.layers) == 2)
    dock.viewer.window.remove_dock_widget(dock.widget.native)
    dock.wait(lambda: not run.states.busy)
    dock.qtbot.wait(100)
    assert mixtures(fake_run) == ["painting"]


def test_an_error_ends_its_own_run_only(dock, fake_run, image, monkeypatch):
    fake_run.warnings = ("The sources are alike.",)
    iterate = fake_run.iterate

    def one_fails(request, stop, new_hints=None):
        if request.mixtures[0].name == "sheet 1":
            raise ValueError("Expected pixels, got none.")
        return iterate(request, stop, new_hints)

    monkeypatch.setattr(fake_run, "iterate", one_fails)
    notification_manager.records.clear()
    dock.widget.run_each(add_sheets(dock, image))
    dock.wait_idle()
    assert dock.widget.bar.line == "3 layers: 2 done, 1 failed."
    assert "sheet 2 source 1" in dock.names()
    notice = dock.widget.notice
    assert notice.kind == "error"
    assert notice.text.splitlines() == [
        "sheet 1: Expected pixels, got none.",
        "painting: The sources are alike.",
        "sheet 2: The sources are alike.",
    ]
    assert [r.message for r in notification_manager.records] == ["sheet 1: Expected pixels, got none."]


def test_a_layer_that_the_form_refuses_is_named_and_the_others_run(undocked, fake_run, image):
    chosen = add_sheets(undocked, image)
    undocked.widget.task.apply("xray", {})
    guide = undocked.viewer.add_image(chosen[1].data, name="the same picture")
    undocked.widget.inputs.choose("guides", [guide, None])
    undocked.widget.run_each(chosen)
    assert undocked.widget.notice.text.startswith("sheet 1: Expected another picture than the image")
    undocked.wait_idle()
    assert mixtures(fake_run) == ["painting", "sheet 2"]
    assert undocked.widget.bar.line == "3 layers: 2 done, 1 failed."
    assert undocked.widget.notice.text.startswith("sheet 1: Expected another picture than the image")


def test_a_level_that_a_layer_lacks_is_an_error_of_this_layer(undocked, fake_run, image):
    deep = undocked.viewer.add_image([image, image[::2, ::2], image[::4, ::4]], multiscale=True, name="deep")
    flat = undocked.viewer.add_image([image, image[::2, ::2]], multiscale=True, name="flat")
    undocked.widget.inputs.choose("mixture", [deep])
    undocked.widget.part.level.choose(2)
    undocked.widget.run_each([deep, flat])
    undocked.wait_idle()
    assert mixtures(fake_run) == ["deep"]
    assert "flat: Expected level 2, as chosen, in flat, got 2 levels" in undocked.widget.notice.text


def test_a_reason_that_all_layers_share_is_said_once(undocked, fake_run, image):
    chosen = add_sheets(undocked, image)
    undocked.widget.part.region.choose("rectangle")
    assert undocked.widget.run_each(chosen) is None
    assert undocked.widget.notice.text.count("Expected") == 1
    assert not undocked.widget.busy
    assert undocked.widget.control.queue is None
    assert undocked.widget.run_each([]) is None
    assert undocked.widget.notice.text == "Select the image layers to run on first."


def test_no_queue_starts_during_a_run(undocked, fake_run, image):
    chosen = add_sheets(undocked, image)
    fake_run.hold_at = 2
    run = undocked.widget.run()
    undocked.wait(lambda: run.states.current is RunState.RUNNING)
    assert not undocked.widget.bar.each.visible
    assert undocked.widget.run_each(chosen) is None
    assert "under way" in undocked.widget.notice.text
    fake_run.go.set()
    undocked.wait_idle()
    assert len(fake_run.calls) == 1


def test_hints_painted_meanwhile_apply_to_the_rest_as_well(undocked, fake_run, image):
    chosen = add_sheets(undocked, image, 1)
    labels = undocked.viewer.add_labels(np.zeros(image.shape, np.uint8), name="labels")
    undocked.widget.inputs.choose("hints", [labels])
    labels.data[:2] = 1
    fake_run.hold_at = 2
    run = undocked.widget.run_each(chosen)
    undocked.wait(lambda: run.states.current is RunState.RUNNING)
    labels.data[:2] = 2
    labels.refresh()
    labels.events.data()
    undocked.wait(lambda: bool(fake_run.hints))
    fake_run.go.set()
    undocked.wait_idle()
    assert [request.hints.array[0, 0] for request in fake_run.calls] == [1, 2]


def test_memory_of_networks_is_freed_between_runs(undocked, fake_run, image):
    undocked.widget.run_each(add_sheets(undocked, image))
    undocked.wait_idle()
    first, second, last = undocked.widget._finished
    assert first.result.state is None
    assert second.result.state is None
    assert last.result.state is not None
