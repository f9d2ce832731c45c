"""Names longer than their field: cut in the middle, whole in the tooltip and in the list."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QApplication, QComboBox, QToolTip

from napari_bitsnet.widgets.forms.elided import Elided

pytestmark = pytest.mark.gui

LONG = "2024-03-11 panel 17, X-radiograph at 30 kV, left wing, mosaic of nine films (verso)"


@pytest.fixture
def combo(qtbot):
    box = QComboBox()
    qtbot.addWidget(box)
    box.addItems(["short", LONG])
    box.setToolTip("<p>What it is for.</p>")
    box.resize(160, 24)
    box.show()
    return box


def hover(box, monkeypatch):
    """The tooltip's text, as it is asked for."""
    said = []
    monkeypatch.setattr(QToolTip, "showText", lambda place, text, *rest: said.append(text))
    QApplication.sendEvent(box, QHelpEvent(QEvent.Type.ToolTip, QPoint(5, 5), QPoint(5, 5)))
    return said


def test_long_names_are_cut_in_the_middle_and_whole_in_the_tooltip(combo, monkeypatch):
    elided = Elided(combo)
    combo.setCurrentText(LONG)
    begin, _, end = elided.text.partition("…")
    assert begin
    assert LONG.startswith(begin)
    assert end
    assert LONG.endswith(end)
    assert combo.fontMetrics().horizontalAdvance(elided.text) < 160
    assert hover(combo, monkeypatch) == [f"<p><b>{LONG}</b></p><p>What it is for.</p>"]


def test_short_names_stay_as_they_are(combo, monkeypatch):
    plain = combo.grab().toImage()
    elided = Elided(combo)
    assert elided.text == "short"
    assert hover(combo, monkeypatch) == []
    assert combo.grab().toImage() == plain


def test_what_is_drawn_is_what_was_cut(combo):
    elided = Elided(combo)
    combo.setCurrentText(LONG)
    drawn = combo.grab().toImage()
    combo.setItemText(1, elided.text)
    assert combo.grab().toImage() == drawn


def test_the_open_list_shows_whole_names(combo, qtbot):
    Elided(combo)
    qtbot.keyClick(combo, Qt.Key.Key_F4)
    assert combo.view().minimumWidth() >= combo.fontMetrics().horizontalAdvance(LONG)
    combo.hidePopup()


def test_names_of_layers_and_the_width_of_the_dock(dock):
    dock.viewer.add_image(np.zeros((24, 32)), name=LONG)
    dock.widget.inputs.choose("mixture", [dock.viewer.layers[LONG]])
    combo = dock.widget.inputs._pickers["mixture"][0]._combo.native
    combo.resize(150, 24)
    assert "…" in combo.findChild(Elided).text
    assert dock.widget.native.minimumSizeHint().width() <= 300
