"""The form: layers stay chosen, methods that do not fit are greyed with the reason, presets can be
restored."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_bitsnet.data.samples import SAMPLE_KEY
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS
from napari_bitsnet.widgets.forms.menu import Entry, Menu
from napari_bitsnet.widgets.forms.method_form import make_default


@pytest.fixture
def form(undocked):
    return undocked.widget.form


@pytest.fixture
def add(undocked, image):
    """Add an image layer by name."""
    return lambda name, data=image, **look: undocked.viewer.add_image(data, name=name, **look)


# --- Layers ----------------------------------------------------------------------------------------------


def test_the_choice_survives_renaming_and_other_layers(form, undocked, add):
    other = add("other")
    form.inputs.choose("mixture", [other])
    add("third")
    other.name = "renamed"
    form.reset_choices()
    assert form.inputs.chosen("mixture") == [other]
    undocked.viewer.layers.remove(other)
    assert form.inputs.chosen("mixture")[0].name in ("painting", "third")


def test_pickers_for_mixtures_grow_as_they_are_filled(form, add):
    layers = [add(f"image {k}") for k in range(4)]
    form.task.apply("multi_mixture", {})
    assert len(form.inputs.chosen("mixture")) >= 2
    for count in (2, 3, 4):
        form.inputs.choose("mixture", layers[:count])
        chosen = form.inputs.chosen("mixture")
        assert chosen[:count] == layers[:count]
        assert len(chosen) >= count + 1


def test_too_many_layers_and_unknown_inputs_are_refused(form, add):
    with pytest.raises(ValueError, match="Expected at most 1 layers for mixture, got 2"):
        form.inputs.choose("mixture", [add("a"), add("b")])
    with pytest.raises(ValueError, match=r"This task has no input 'guides'. It has: mixture, hints, mask"):
        form.inputs.choose("guides", [])


def test_one_guide_a_source(form):
    form.task.apply("xray", {"n_sources": 3})
    assert form.inputs.chosen("guides") == [None, None, None]


def test_photographs_of_the_same_size_are_proposed_as_guides(form, add, image):
    colours = (np.stack([image] * 3, axis=-1) * 255).astype(np.uint8)
    front, back = (add(name, colours, rgb=True) for name in ("front", "back"))
    add("elsewhere", np.zeros((40, 40, 3), np.uint8), rgb=True)
    form.task.apply("xray", {})
    assert form.inputs.chosen("mixture")[0].name == "painting"
    assert form.inputs.chosen("guides") == [front, back]
    form.inputs.choose("guides", [back, None])
    add("later", colours, rgb=True)
    assert form.inputs.chosen("guides") == [back, None]


def test_what_was_chosen_stays_for_the_next_task(form, add):
    other = add("other")
    form.inputs.choose("mixture", [other])
    form.task.apply("xray", {})
    assert form.inputs.chosen("mixture") == [other]


def test_the_scribbles_of_a_sample_are_proposed_as_hints(form, undocked, add):
    add("sample", metadata={SAMPLE_KEY: {"task": "segment", "role": "mixture"}})
    marks = undocked.viewer.add_labels(
        np.zeros((32, 40), int), metadata={SAMPLE_KEY: {"task": "segment", "role": "hints"}}
    )
    undocked.viewer.add_labels(np.zeros((32, 40), int))
    form.task.apply("segment", {})
    assert form.inputs.chosen("hints") == [marks]
    assert form.inputs.chosen("guides") == [None]


def test_an_opened_sample_takes_the_place_of_a_proposed_image(form, add):
    sample = add("sample", metadata={SAMPLE_KEY: {"task": "xray", "role": "mixture"}})
    assert form.inputs.chosen("mixture") == [sample]
    assert form.task.task_name == "xray"


def test_one_image_is_not_proposed_as_several_mixtures(form):
    form.task.apply("multi_mixture", {})
    assert [layer and layer.name for layer in form.inputs.chosen("mixture")] == ["painting", None]


def test_missing_inputs_are_named_before_any_work(form, undocked):
    form.task.apply("xray", {})
    with pytest.raises(ValueError, match="Choose a layer for Guides"):
        form.request()
    form.task.apply("multi_mixture", {})
    undocked.viewer.layers.clear()
    with pytest.raises(ValueError, match="Choose two images for Image"):
        form.request()


# --- Methods ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS.names())
def test_methods_that_do_not_fit_are_greyed_with_the_reason(form, task):
    form.task.apply(task, {})
    made = form.task.task
    traits = made.traits(n_observations=1, n_guides=0, has_hints=False)
    form.method.method.show_all()
    model = form.method.method.native.model()
    greyed = 0
    for row, name in enumerate(["auto", *METHODS.names()]):
        if name == "auto":
            continue
        reason = make_default(name).unsupported_reason(traits)
        item = model.item(row)
        assert item.isEnabled() is (reason is None)
        if reason is not None:
            greyed += 1
            assert "Not here:" in item.data(Qt.ItemDataRole.ToolTipRole)
            with pytest.raises(ValueError, match="does not fit here"):
                form.method.method.choose(name)
    assert greyed > 0


def test_automatic_is_the_tasks_own_choice(form):
    traits = form.task.task.traits(n_observations=1, n_guides=0, has_hints=False)
    assert form.method.resolved == form.task.task.default_method(traits)
    assert form.settings.method == form.method.resolved


def test_settings_start_as_the_presets_and_can_be_restored(form):
    form.method.method.choose("bitsnet")
    form.method.preset.choose("quick")
    assert form.settings.settings == {}
    form.method.form.field("iterations").value = 33
    assert form.settings.settings == {"iterations": 33}
    assert form.method.section._title == "Settings of the method (1 changed)"
    form.method._restore.changed.emit(True)
    assert form.settings.settings == {}
    assert form.method.section._title == "Settings of the method"


def test_unknown_names_list_the_known_ones(form):
    with pytest.raises(ValueError, match=r"No 'huge' here. There are: .*balanced"):
        form.method.preset.choose("huge")


def test_text_that_cannot_be_read_stops_the_run_with_a_sentence(form, undocked):
    form.method.method.choose("bitsnet")
    form.method.form.field("kappa").native.setText("one")
    assert undocked.widget.run() is None
    assert "Expected numbers separated by commas" in undocked.widget.notice.text


# --- Menus -----------------------------------------------------------------------------------------------


def test_a_menu_keeps_the_value_or_takes_the_first_that_fits(qtbot):
    menu, told = Menu([Entry("A", "a"), Entry("B", "b")]), []
    qtbot.addWidget(menu.native)
    menu.changed.connect(told.append)
    menu.choose("b")
    menu.offer([Entry("C", "c", reason="not yet"), Entry("B, renamed", "b")], menu.value)
    assert menu.value == "b"
    menu.offer([Entry("C", "c", reason="not yet"), Entry("D", "d")], menu.value)
    assert menu.value == "d"
    assert told == ["b"]


def test_a_new_parent_does_not_bring_back_old_entries(qtbot):
    from magicgui.widgets import Container

    menu = Menu([Entry("A", "a")])
    menu.offer([Entry("B", "b")], "b")
    home = Container(widgets=[menu])
    qtbot.addWidget(home.native)
    assert menu.choices == ("b",)


def test_choosing_fewer_layers_empties_the_other_pickers(form, add):
    layers = [add(f"image {k}") for k in range(4)]
    form.task.apply("multi_mixture", {})
    form.inputs.choose("mixture", layers)
    form.inputs.choose("mixture", layers[2:])
    assert [layer for layer in form.inputs.chosen("mixture") if layer is not None] == layers[2:]
    form.task.apply("xray", {})
    form.inputs.choose("mixture", layers[:1])
    form.task.apply("multi_mixture", {})
    assert form.inputs.chosen("mixture")[:2] == [layers[0], None]


def test_of_several_mixtures_no_more_than_two_of_one_kind_are_proposed(form, add, image):
    for k in range(3):
        add(f"photograph {k}", (np.stack([image] * 3, axis=-1) * 255).astype(np.uint8), rgb=True)
        add(f"image {k}")
    form.task.apply("multi_mixture", {})
    assert [layer and layer.name for layer in form.inputs.chosen("mixture")] == ["painting", "image 0", None]
