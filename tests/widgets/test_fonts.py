"""napari's font size can be changed: labels are broken at spaces only, in whatever font, and nothing is cut
off."""

from __future__ import annotations

import warnings

import pytest
from magicgui.widgets import LineEdit
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLabel

from napari_bitsnet.widgets.forms.rows import FORM_WIDTH, LABEL_WIDTH, Text, in_scroll_area, labelled, plain
from napari_bitsnet.widgets.task_widget import TaskWidget


def words_fit(label: QLabel) -> bool:
    """Whether the longest word of a label that is wrapped has room."""
    metrics = label.fontMetrics()
    return max(metrics.horizontalAdvance(word) for word in label.text().split()) <= label.width()


def grown(native, points: int) -> None:
    native.setStyleSheet(f"* {{ font-size: {points}pt; }}")
    native.show()
    QApplication.processEvents()


@pytest.mark.parametrize("points", [8, 12, 24])
def test_labels_of_rows_are_as_wide_as_their_words(qtbot, points):
    fields = [LineEdit(label=text) for text in ("Registration of the photographs", "Seed", "Half waves")]
    form = plain([labelled(field) for field in fields])
    grown(form.native, points)
    labels = [row[0].native for row in form]
    assert all(words_fit(label) for label in labels)
    assert labels[1].width() == labels[2].width() >= LABEL_WIDTH


def test_a_text_is_high_enough_for_its_lines_in_a_larger_font(qtbot):
    text = Text(
        "No method can determine how brightness is divided between sources. Move a slider to change it; the "
        "sum stays."
    )
    grown(text.native, 8)
    low = text.native.minimumHeight()
    grown(text.native, 20)
    assert text.native.minimumHeight() > 1.5 * low
    text.native.resize(text.native.minimumWidth(), text.native.height())
    assert words_fit(text.native)


def test_a_word_without_end_does_not_make_the_form_wider(qtbot):
    text = Text("/data/" + "scan" * 80)
    grown(text.native, 9)
    assert text.native.minimumWidth() <= FORM_WIDTH


def test_a_form_that_is_too_wide_scrolls_sideways(qtbot):
    form = plain([LineEdit(label="x")])
    area = in_scroll_area(form)
    assert area.horizontalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAsNeeded


def test_opening_the_dock_warns_of_nothing(qtbot):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        TaskWidget(ViewerModel())
