"""Pages of the documentation, shown in a window of their own: they come with the package and need no
network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from magicgui.widgets import PushButton
from qtpy.QtCore import QUrl
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.font_following import FollowFont, scaled

PACKAGE = Path(__file__).resolve().parents[2]

HOMES = (PACKAGE / "docs", PACKAGE.parents[1] / "docs")
"""Where the pages are in an installed package, and in a checkout."""

GENERAL = "getting-started-viewer.md"
"""What is shown where there is no page of its own."""

SIZE = (760, 640)
"""Width and height of the window in pixels, for lines of about 100 letters."""


def find_page(name: str) -> Path | None:
    """Return the file of a page, or of the general one where there is none of that name; None without any."""
    return next((home / n for n in (name, GENERAL) for home in HOMES if (home / n).is_file()), None)


def show_page(name: str, parent: QWidget | None = None) -> QDialog | None:
    """Open a page; its links lead on to other pages.

    Parameters
    ----------
    name : str
        Path of the page in the documentation: ``"tutorials/xray.md"``.
    parent : QWidget, optional
        With it the window goes.

    Returns
    -------
    QDialog or None
        None if the documentation was not installed.
    """
    path = find_page(name)
    if path is None:
        return None
    window = QDialog(parent)
    browser = QTextBrowser(window)
    browser.setOpenExternalLinks(True)
    browser.setSource(QUrl.fromLocalFile(str(path)))
    layout = QVBoxLayout(window)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(browser)
    window.resize(*SIZE)
    window.setWindowTitle("BITS-Net")
    window.show()
    return window


def help_button(page: str | Callable[[], str]) -> PushButton:
    """Return a small button with a question mark that opens a page.

    Parameters
    ----------
    page : str or callable
        The page, or what says which one it is when the button is pressed.
    """
    button = PushButton(text="?", tooltip=tooltip("Open the help page."))
    native: Any = button.native
    FollowFont(native, lambda: native.setFixedWidth(scaled(22, native)))
    native.setAccessibleName("Help")
    button.changed.connect(
        lambda _=None: show_page(page if isinstance(page, str) else page(), native.window())
    )
    return button
