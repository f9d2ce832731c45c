"""Every question mark opens a page that is there."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QTextDocument
from qtpy.QtWidgets import QPushButton

from napari_bitsnet.tasks import TASKS
from napari_bitsnet.widgets.forms import help as help_pages
from napari_bitsnet.widgets.forms.help import (
    GENERAL,
    PICTURE_WIDTH,
    find_page,
    help_button,
    open_nearest_help,
    show_page,
    slug,
)
from napari_bitsnet.widgets.forms.section import Section


@pytest.mark.parametrize("task", TASKS.names())
def test_each_task_has_a_page(task):
    assert find_page(f"tutorials/{task}.md") is not None


def test_the_sections_have_pages_of_their_own(undocked, monkeypatch):
    asked = []
    monkeypatch.setattr(help_pages, "show_page", lambda name, parent=None: asked.append(name))

    def press(container):
        for each in container:
            if getattr(each, "text", "") == "?":
                each.changed.emit(True)
            elif hasattr(each, "__iter__"):
                press(each)

    press(undocked.widget._scrolled)
    assert set(asked) >= {
        "tutorials/separate.md",
        "tutorials/registration.md",
        "tutorials/hints.md",
        "concepts/identifiability.md",
    }
    for name in set(asked) - {"reference/generated/methods.md"}:  # that one is written with the documentation
        file, _, fragment = name.partition("#")
        page = find_page(file)
        assert page.as_posix().endswith(file)
        headings = [
            slug(line.lstrip("# ")) for line in page.read_text("utf-8").splitlines() if line[:1] == "#"
        ]
        assert not fragment or fragment in headings, name


def test_a_page_is_shown_with_its_text(qtbot):
    window = show_page("concepts/identifiability.md")
    qtbot.addWidget(window)
    assert "What can be known" in window.layout().itemAt(0).widget().toPlainText()


def test_without_the_page_the_general_one_is_shown(monkeypatch, tmp_path):
    assert find_page("no/such.md").name == GENERAL
    monkeypatch.setattr(help_pages, "HOMES", (tmp_path,))
    assert show_page("no/such.md") is None


def test_a_button_asks_for_its_page_when_it_is_pressed(qtbot, monkeypatch):
    asked, page = [], ["one"]
    monkeypatch.setattr(help_pages, "show_page", lambda name, parent=None: asked.append(name))
    button = help_button(lambda: page[0])
    qtbot.addWidget(button.native)
    page[0] = "two"
    button.changed.emit(True)
    assert asked == ["two"]


def test_a_section_without_a_page_has_no_button(qtbot):
    from magicgui.widgets import Label

    section = Section("Title", Label(value="body"))
    qtbot.addWidget(section.native)
    assert next(getattr(each, "text", "") for each in section) == "▸ Title"


def test_a_page_opens_at_its_heading_with_pictures_no_wider_than_the_window(qtbot):
    window = show_page("getting-started-viewer.md#how")
    qtbot.addWidget(window)
    page = window.layout().itemAt(0).widget()
    qtbot.waitUntil(lambda: page.heading == "How")
    assert page.horizontalScrollBar().maximum() == 0
    picture = page.loadResource(
        QTextDocument.ResourceType.ImageResource.value, QUrl("images/viewer-before.webp")
    )
    assert picture.width() == PICTURE_WIDTH
    page.setSource(QUrl("concepts/identifiability.md"))
    assert page.verticalScrollBar().value() == 0


def test_f1_opens_the_page_of_the_field_and_tab_passes_the_question_marks(undocked, monkeypatch):
    asked = []
    monkeypatch.setattr(help_pages, "show_page", lambda name, parent=None: asked.append(name))
    widget = undocked.widget
    assert open_nearest_help(widget.task.menu.native)
    assert open_nearest_help(widget.part.region.native)
    assert asked == ["tutorials/separate.md", "getting-started-viewer.md#what-i-have"]
    buttons = widget.native.findChildren(QPushButton, help_pages.BUTTON)
    assert buttons
    assert not any(button.focusPolicy() & Qt.FocusPolicy.TabFocus for button in buttons)
