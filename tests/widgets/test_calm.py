"""The dock is calm: three folds, only what fits, messages that end, and controls only for what is there."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QPushButton

from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS
from napari_bitsnet.widgets.forms.menu import SHOW_ALL, SHOW_FITTING
from napari_bitsnet.widgets.forms.method_form import make_default
from napari_bitsnet.widgets.forms.rows import FORM_WIDTH, MOST_WIDTH, SCALED_WIDTH
from napari_bitsnet.widgets.forms.tab_order import tab_stops

SMALL_SCREEN = 768
"""Height in pixels of a small laptop's screen."""

ABOVE_AND_BELOW = 90
"""Pixels of napari's menu, of its status bar and of the dock's title."""


def ended(undocked):
    undocked.widget.run()
    undocked.wait_idle()
    return undocked.widget.separation


def show(widget, points: int = 9, width: int = 300, height: int = SMALL_SCREEN - ABOVE_AND_BELOW) -> None:
    widget.native.setStyleSheet(f"* {{ font-size: {points}pt; }}")
    widget.native.resize(width, height)
    widget.native.show()
    for _ in range(3):
        QApplication.processEvents()


# --- Folds -----------------------------------------------------------------------------------------------


def test_how_is_folded_at_first_and_says_what_is_in_it(undocked):
    form = undocked.widget.form
    assert (form.have.unfolded, form.how.unfolded) == (True, False)
    assert undocked.widget._result_section.native.isHidden()
    method = METHODS.get(form.method.resolved).title
    assert form.how.summary == f"{method} · balanced · device auto"
    form.method.preset.choose("best")
    form.device.choose("cpu")
    assert form.how.summary == f"{METHODS.get(form.method.resolved).title} · best · device cpu"
    form.task.apply("xray", {})
    assert form.have.summary == f"{TASKS.get('xray').title} · painting"


def test_after_a_run_the_result_opens_and_the_rest_folds(undocked, fake_run):
    form = undocked.widget.form
    form.how.unfolded = True
    ended(undocked)
    assert (form.have.unfolded, form.how.unfolded) == (False, False)
    assert undocked.widget._result_section.unfolded
    assert not undocked.widget._result_section.native.isHidden()


@pytest.mark.parametrize("points", [9, 14])
def test_the_controls_of_a_result_are_in_sight_on_a_small_screen(undocked, fake_run, points):
    widget = undocked.widget
    ended(undocked)
    show(widget, points)
    view, form = widget._area.viewport().height(), widget._scrolled.native
    save = widget.record.save.native
    assert save.mapTo(form, save.rect().bottomRight()).y() <= view
    sliders = [slider.native for slider in widget.brightness.sliders]
    assert all(slider.isVisible() for slider in sliders)
    widget.native.hide()


def test_a_run_that_is_refused_shows_where_something_is_missing(undocked):
    undocked.viewer.layers.clear()
    undocked.widget.form.have.unfolded = False
    assert undocked.widget.run() is None
    assert undocked.widget.form.have.unfolded


# --- Methods ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["separate", "xray", "denoise"])
def test_only_methods_that_fit_are_listed_until_all_are_asked_for(undocked, task):
    form = undocked.widget.form
    form.task.apply(task, {})
    traits = form.task.task.traits(n_observations=1, n_guides=0, has_hints=False)
    fits = [name for name in METHODS.names() if make_default(name).unsupported_reason(traits) is None]
    menu = form.method.method
    assert list(menu.choices) == ["auto", *fits, SHOW_ALL]
    told = []
    menu.changed.connect(told.append)
    menu.value = SHOW_ALL
    assert menu.choices == ("auto", *METHODS.names(), SHOW_FITTING)
    assert (menu.value, told) == ("auto", [])
    menu.value = SHOW_FITTING
    assert list(menu.choices) == ["auto", *fits, SHOW_ALL]
    unfit = next(name for name in METHODS.names() if name not in fits)
    with pytest.raises(ValueError, match="does not fit here"):
        menu.choose(unfit)


# --- Further pictures ------------------------------------------------------------------------------------


def test_further_pictures_get_layers_when_they_are_ticked(undocked, fake_run):
    run = ended(undocked)
    assert undocked.names() == ["painting", "painting source 1", "painting source 2"]
    further = undocked.widget.result.further
    assert [box.text for box in further.boxes.values()] == ["Residual"]
    sliders = undocked.widget.brightness.sliders
    further.boxes["residual"].value = True
    residual = undocked.viewer.layers["painting residual"]
    np.testing.assert_array_equal(residual.data, run.result.outputs["residual"].array)
    assert residual.visible
    assert undocked.widget.brightness.sliders is sliders  # nothing else was built anew
    further.boxes["residual"].value = False
    assert undocked.names() == ["painting", "painting source 1", "painting source 2"]
    further.boxes["residual"].value = True
    undocked.viewer.layers.remove("painting residual")
    assert not further.boxes["residual"].value


def test_maps_are_named_in_plain_words(undocked):
    from napari_bitsnet.widgets.layers.parts import layer_part
    from napari_bitsnet.widgets.run.preview import PreviewLayers
    from tests.described import described

    image = np.random.default_rng(0).random((8, 9), dtype=np.float32)
    outputs = described("xray", {"source_1": image, "source_2": image, "phantoms": image})
    part = layer_part(undocked.viewer.add_image(image, name="X-ray"))
    names = [layer.name for layer in PreviewLayers(undocked.viewer, [part]).finish(outputs, {})]
    assert names == ["X-ray source 1", "X-ray source 2", "X-ray cancelled edges"]


# --- Messages --------------------------------------------------------------------------------------------


def test_a_message_can_be_closed(undocked):
    notice = undocked.widget.notice
    notice.say("warning", "Something.", lasting=True)
    notice.close_button.changed.emit(True)
    assert notice.text == ""
    assert notice.native.isHidden()


def test_a_complaint_ends_when_its_cause_is_mended(undocked, image):
    undocked.viewer.layers.clear()
    undocked.widget.run()
    assert undocked.widget.notice.kind == "error"
    undocked.viewer.add_image(image, name="other")
    assert undocked.widget.notice.text == ""


def test_a_warning_about_a_result_stays_until_its_layers_go(undocked, fake_run):
    fake_run.warnings = ("The halves are alike.",)
    run = ended(undocked)
    undocked.widget.method.preset.choose("best")
    assert "The halves are alike." in undocked.widget.notice.text
    for layer in list(run.layers):
        undocked.viewer.layers.remove(layer)
    assert undocked.widget.notice.text == ""


# --- Controls --------------------------------------------------------------------------------------------


def test_controls_go_with_the_layers_of_their_result(undocked, fake_run):
    run = ended(undocked)
    undocked.widget.bar.offer_continue(True, 50)
    for layer in list(run.layers):
        undocked.viewer.layers.remove(layer)
    widget = undocked.widget
    assert widget._result_section.native.isHidden()
    assert widget.brightness.sliders == []
    assert widget.areas.buttons == []
    assert widget.bar.more.native.isHidden()
    assert widget.bar.line == ""
    assert run.result.state is None


def test_without_one_source_its_brightness_cannot_be_moved(undocked, fake_run):
    run = ended(undocked)
    assert len(undocked.widget.brightness.sliders) == 2
    undocked.viewer.layers.remove(run.layers[0])
    assert undocked.widget.brightness.sliders == []
    assert not undocked.widget._result_section.native.isHidden()


def test_after_an_area_was_moved_everything_is_as_before(undocked, fake_run):
    run = ended(undocked)
    viewer, widget = undocked.viewer, undocked.widget
    widget.view.side_by_side.value = True
    viewer.layers.selection.active = run.layers[1]
    names, shown = undocked.names(), [layer.visible for layer in viewer.layers]
    widget.areas.mark.changed.emit(True)
    assert not widget.view.side_by_side.value
    assert undocked.names() == names  # the layer for areas comes in a turn of its own
    undocked.wait(lambda: "area" in viewer.layers)
    viewer.layers["area"].add_polygons([np.array([[1.0, 1], [1, 4], [4, 4], [4, 1]])])
    handed = []
    widget.control.run_on = handed.append
    widget.areas.buttons[1].changed.emit(True)
    assert (np.asarray(handed[0].array) == 2).any()
    assert viewer.layers.selection.active is run.layers[1]
    assert widget.view.side_by_side.value
    assert [name for name in undocked.names() if "hints" not in name] == names
    assert [layer.visible for layer in viewer.layers if "hints" not in layer.name] == shown
    assert not viewer.layers["painting hints"].visible


def test_the_grid_comes_back_when_the_area_is_given_up(undocked, fake_run):
    ended(undocked)
    viewer, widget = undocked.viewer, undocked.widget
    widget.view.side_by_side.value = True
    for _ in range(2):
        widget.areas.mark_area()
        undocked.wait(lambda: "area" in viewer.layers)
        assert not widget.view.side_by_side.value
        viewer.layers.remove("area")
        assert widget.view.side_by_side.value


# --- Use its settings ------------------------------------------------------------------------------------


def test_its_settings_fill_the_whole_form(undocked, fake_run):
    stack = np.random.default_rng(1).random((4, 24, 32)).astype(np.float32)
    viewer, widget = undocked.viewer, undocked.widget
    layer = viewer.add_image(stack, name="stack", scale=(2, 0.5, 0.25))
    widget.inputs.choose("mixture", [layer])
    viewer.dims.set_point(0, 2 * 2)
    rectangle = viewer.add_shapes([np.array([[1, 1], [1, 5], [9, 5], [9, 1]])], name="box")
    widget.part.region.choose("rectangle")
    widget.method.preset.choose("best")
    run = ended(undocked)
    record = dict(run.layers[0].metadata["napari-bitsnet"])
    viewer.layers.remove(rectangle)
    viewer.dims.set_point(0, 0)
    widget.part.region.choose("whole")
    widget.part.slices.choose("all")
    widget.method.preset.choose("quick")
    widget.inputs.choose("mixture", [viewer.layers["painting"]])
    widget.use_record(record)
    again = widget.form.request()
    assert again.mixtures[0].record == run.request.mixtures[0].record
    assert again.settings == run.request.settings
    assert widget.notice.text == ""
    assert widget.form.have.unfolded
    assert widget.form.how.unfolded


def test_what_is_missing_is_named_in_words(undocked, fake_run, image):
    viewer, widget = undocked.viewer, undocked.widget
    guide = viewer.add_image(np.stack([image] * 3, -1), name="front", rgb=True)
    widget.task.apply("xray", {})
    widget.inputs.choose("guides", [guide])
    run = ended(undocked)
    record = dict(run.layers[0].metadata["napari-bitsnet"])
    viewer.layers.remove(guide)
    widget.task.apply("denoise", {})
    widget.use_record(record)
    assert widget.task.task_name == "xray"
    assert widget.notice.kind == "warning"
    assert "Guide 1: open the layer front again" in widget.notice.text


# --- Keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS.names())
def test_the_tab_key_goes_down_and_reaches_run_soon(undocked, task):
    widget = undocked.widget
    widget.task.apply(task, {})
    show(widget)
    stops = [w for w in tab_stops(widget.native) if w.isVisibleTo(widget.native) and w.isEnabled()]
    heights = [stop.mapTo(widget.native, stop.rect().topLeft()).y() for stop in stops]
    assert heights == sorted(heights)
    first, run = widget.task.menu.native, widget.bar.run.native
    presses, field = 0, first
    while field is not run and presses < 100:
        field = field.nextInFocusChain()
        presses += field in stops
    assert presses <= 10
    assert presses == stops.index(run) - stops.index(first)
    widget.native.hide()


# --- Fonts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [9, 14])
def test_no_title_is_cut_off_in_any_task(undocked, points):
    widget = undocked.widget
    for task in TASKS.names():
        widget.task.apply(task, {})
        show(widget, points)
        for button in widget.native.findChildren(QPushButton):
            if button.isVisible():
                room = button.fontMetrics().horizontalAdvance(button.text().replace("&&", "&"))
                assert room <= button.contentsRect().width(), (task, button.text())
    widget.native.hide()


@pytest.mark.parametrize("points", [9, 14, 16])
def test_the_form_does_not_scroll_sideways(undocked, fake_run, points):
    widget = undocked.widget
    widget.task.apply("xray", {})
    for section in (widget.form.how, widget.form._register_section, widget.inputs.extra):
        section.unfolded = True
    ended(undocked)
    widget.form.have.unfolded = widget.form.how.unfolded = True
    show(widget, points)
    assert widget._area.horizontalScrollBar().maximum() == 0
    assert FORM_WIDTH <= widget._area.minimumWidth() <= MOST_WIDTH
    assert (widget._area.minimumWidth() >= SCALED_WIDTH) is (points > 9)
    widget.native.hide()
