"""Decimal commas are read as points, typed or pasted, in every box for numbers."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QLocale
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QApplication, QDoubleSpinBox

from napari_bitsnet.widgets.forms.decimal_commas import accept_commas
from napari_bitsnet.widgets.forms.fields import NumbersEdit

pytestmark = pytest.mark.gui


@pytest.fixture(params=["C", "de_DE"])
def box(qtbot, request):
    box = QDoubleSpinBox()
    qtbot.addWidget(box)
    box.setLocale(QLocale(request.param))
    box.setDecimals(3)
    box.setRange(-10, 100)
    accept_commas(box)
    box.selectAll()
    return box


@pytest.mark.parametrize(("typed", "value"), [("0,25", 0.25), ("0.25", 0.25), ("-1,5", -1.5), ("12", 12.0)])
def test_typed_numbers(box, qtbot, typed, value):
    qtbot.keyClicks(box.lineEdit(), typed)
    assert box.value() == value
    assert "," not in box.text()


def test_pasted_numbers(box, qtbot):
    QApplication.clipboard().setText("0,75")
    qtbot.keySequence(box.lineEdit(), QKeySequence(QKeySequence.StandardKey.Paste))
    assert box.value() == 0.75


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0.5, 1.5", (0.5, 1.5)), ("0,5; 1,5", (0.5, 1.5)), ("0.5; 1", (0.5, 1.0)), ("", ())],
)
def test_several_numbers(qtbot, text, numbers):
    edit = NumbersEdit()
    edit.native.setText(text)
    assert edit.value == numbers


def test_all_boxes_of_the_form_accept_commas(undocked, qtbot):
    form = undocked.widget.method
    form.method.choose("bitsnet")
    boxes = form.native.findChildren(QDoubleSpinBox)
    assert boxes
    for each in boxes:
        assert each.locale().decimalPoint() == "."
