"""Pages of the documentation, shown in a window of their own: they come with the package and need no
network."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from magicgui.widgets import PushButton
from PIL import Image
from qtpy.compat import isalive
from qtpy.QtCore import QPoint, Qt, QTimer, QUrl
from qtpy.QtGui import QImage, QTextBlock, QTextDocument
from qtpy.QtWidgets import QDialog, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.font_following import FollowFont, scaled

PACKAGE = Path(__file__).resolve().parents[2]

HOMES = (PACKAGE / "docs", PACKAGE.parents[1] / "docs")
"""Where the pages are in an installed package, and in a checkout."""

GENERAL = "getting-started-viewer.md"
"""What is shown where there is no page of its own."""

SIZE = (760, 640)
"""Width and height of the window in pixels, for lines of about 100 letters."""

PICTURE_WIDTH = SIZE[0] - 60
"""Widest picture in pixels; wider ones are scaled down, so that the page does not scroll sideways."""

BUTTON = "help"
"""Qt's name of the buttons with a question mark."""


def find_page(name: str) -> Path | None:
    """Return the file of a page, or of the general one where there is none of that name; None without any."""
    return next((home / n for n in (name, GENERAL) for home in HOMES if (home / n).is_file()), None)


class Page(QTextBrowser):
    """A page of the documentation that scrolls to a heading, with its pictures scaled to the window."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOpenExternalLinks(True)

    @property
    def heading(self) -> str:
        """Return the heading at the top of the window; empty if there is other text."""
        place = QPoint(4, self.fontMetrics().height() // 2)
        block = self.cursorForPosition(place).block()
        return block.text() if block.blockFormat().headingLevel() else ""

    def loadResource(self, kind: int, name: QUrl) -> Any:
        """Load a picture no wider than the window, or whatever else a page needs."""
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return super().loadResource(kind, name)
        try:  # with Pillow, since a Qt may lack the plugin for WebP
            with Image.open(self.source().resolved(name).toLocalFile()) as picture:
                scale = min(1.0, PICTURE_WIDTH / picture.width)
                size = round(scale * picture.width), round(scale * picture.height)
                shown = picture.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
        except OSError:
            return super().loadResource(kind, name)
        rgba, (width, height) = shown.tobytes(), shown.size
        return QImage(rgba, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()

    def doSetSource(self, name: QUrl, kind: Any = QTextDocument.ResourceType.UnknownResource) -> None:
        """Show a page, from the heading that its address names: Qt has no anchors in Markdown."""
        super().doSetSource(name, kind)
        self._scroll_to_heading()
        QTimer.singleShot(0, self._scroll_to_heading)  # the window may get its size only then

    def _scroll_to_heading(self) -> None:
        if not isalive(self):
            return
        block = self._heading_block(self.source().fragment())
        if block is not None:
            layout: Any = self.document().documentLayout()  # type: ignore[union-attr]
            self.verticalScrollBar().setValue(round(layout.blockBoundingRect(block).y()))  # type: ignore[union-attr]

    def _heading_block(self, fragment: str) -> QTextBlock | None:
        document: Any = self.document()
        block = document.begin()
        while fragment and block.isValid():
            if block.blockFormat().headingLevel() and slug(block.text()) == fragment:
                return block
            block = block.next()
        return None


def slug(heading: str) -> str:
    """Return the fragment of a heading: ``"What is known?"`` -> ``"what-is-known"``."""
    return re.sub(r"[^\w]+", "-", heading.lower()).strip("-")


def show_page(name: str, parent: QWidget | None = None) -> QDialog | None:
    """Open a page; its links lead on to other pages.

    Parameters
    ----------
    name : str
        Path of the page in the documentation, and the heading at which it opens:
        ``"getting-started-viewer.md#method"``.
    parent : QWidget, optional
        With it the window goes.

    Returns
    -------
    QDialog or None
        None if the documentation was not installed.
    """
    file, _, fragment = name.partition("#")
    path = find_page(file)
    if path is None:
        return None
    window = QDialog(parent)
    browser = Page(window)
    layout = QVBoxLayout(window)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(browser)
    window.resize(*SIZE)
    window.setWindowTitle("BITS-Net")
    window.show()
    address = QUrl.fromLocalFile(str(path))
    address.setFragment(fragment)
    browser.setSource(address)  # after it is shown: it scrolls to the heading at its own width
    return window


def help_button(page: str | Callable[[], str]) -> PushButton:
    """Return a small button with a question mark that opens a page.

    The Tab key passes it by: F1 opens the same page, see `open_nearest_help`.

    Parameters
    ----------
    page : str or callable
        The page, or what says which one it is when the button is pressed.
    """
    button = PushButton(text="?", tooltip=tooltip("Open the help page (F1)."))
    native: Any = button.native
    FollowFont(native, lambda: native.setFixedWidth(scaled(22, native)))
    native.setAccessibleName("Help")
    native.setObjectName(BUTTON)
    native.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    button.changed.connect(
        lambda _=None: show_page(page if isinstance(page, str) else page(), native.window())
    )
    return button


def open_nearest_help(widget: QWidget | None) -> bool:
    """Press the question mark that is nearest to a widget, inward out; return True if there is one."""
    while widget is not None:
        for button in widget.findChildren(QPushButton, BUTTON):
            row = button.parentWidget()
            beside = row is widget or (row is not None and row.parentWidget() is widget)
            if beside and button.isVisibleTo(widget):  # those further inside belong to other fields
                button.click()
                return True
        widget = widget.parentWidget()
    return False
