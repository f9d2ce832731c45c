"""What the dock has to say can be read wherever it is shown."""

from __future__ import annotations

import pytest

from napari_bitsnet.widgets.forms.notice import COLOURS, SIGNS, Notice

pytestmark = pytest.mark.gui


@pytest.mark.parametrize("kind", COLOURS)
def test_every_kind_says_its_sign_and_its_text(qtbot, kind):
    notice = Notice()
    notice.say(kind, "Choose an image first.")
    assert notice._text.value == f"{SIGNS[kind]} Choose an image first."
    assert notice.text == "Choose an image first."


def test_information_needs_no_sign_that_fonts_lack():
    assert SIGNS["info"].isascii()  # DejaVu, the only font of many machines, has the other two
