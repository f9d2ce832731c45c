"""What the dock has to say can be read wherever it is shown."""

from __future__ import annotations

import pytest

from napari_bitsnet.widgets.forms.notice import COLOURS, MOST_LINES, SIGNS, Notice

pytestmark = pytest.mark.gui


@pytest.mark.parametrize("kind", COLOURS)
def test_every_kind_says_its_sign_and_its_text(qtbot, kind):
    notice = Notice()
    notice.say(kind, "Choose an image first.")
    assert notice._text.value == f"{SIGNS[kind]} Choose an image first."
    assert notice.text == "Choose an image first."


def test_information_needs_no_sign_that_fonts_lack():
    assert SIGNS["info"].isascii()  # DejaVu, the only font of many machines, has the other two


@pytest.mark.parametrize("points", [9, 14])
def test_a_long_message_scrolls_and_leaves_room_for_the_form(qtbot, points):
    notice = Notice()
    qtbot.addWidget(notice.native)
    notice.native.setStyleSheet(f"QLabel {{ font-size: {points}pt; }}")
    notice.native.show()
    notice.say("warning", "Short.")
    low = notice._area.height()
    notice.say("warning", "The sources are hardly more than copies of the image. " * 12)
    line = notice._text.native.fontMetrics().lineSpacing()
    assert low < 2.5 * line
    assert notice._area.height() == MOST_LINES * line
    assert notice._text.native.minimumHeight() > notice._area.height()
