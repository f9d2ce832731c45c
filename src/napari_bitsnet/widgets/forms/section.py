"""Collapsible section of the form."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container, PushButton
from psygnal import Signal

from napari_bitsnet.widgets.forms.help import help_button
from napari_bitsnet.widgets.forms.rows import Text, plain


class Section(Container):
    """A title that folds and unfolds the widget below it, with a line on its content while it is folded.

    Parameters
    ----------
    title : str
        Shown on the button, with an arrow.
    body : Widget
        Widget that is folded.
    unfolded : bool
        Whether it is open at first.
    page : str, optional
        Page of the documentation about it; see `show_page`.

    Notes
    -----
    `superqt.QCollapsible` folds by a maximum height of 0: folded fields stay in the order of the Tab key,
    rows that appear later are cut off, and its arrow keeps the colour that the palette has before napari's
    theme is applied.
    """

    toggled = Signal(bool)
    """Emitted with True after the section was unfolded, and with False after it was folded."""

    def __init__(self, title: str, body: Any, *, unfolded: bool = False, page: str = "") -> None:
        self._title, self._body = title, body
        self._header = PushButton(text=title)
        self._header.native.setFlat(True)
        self._header.native.setStyleSheet("text-align: left; padding: 2px 0px;")
        self._header.native.setMinimumWidth(120)
        row = plain([self._header, help_button(page)], layout="horizontal") if page else self._header
        self._summary = Text()
        super().__init__(widgets=[row, self._summary, body], labels=False)
        self.margins = (0, 0, 0, 0)
        self._unfolded = unfolded
        self._header.changed.connect(self._toggle)
        self._show()

    @property
    def unfolded(self) -> bool:
        """Return True if the body is shown."""
        return self._unfolded

    @unfolded.setter
    def unfolded(self, value: bool) -> None:
        changed = self._unfolded != bool(value)
        self._unfolded = bool(value)
        self._show()
        if changed:
            self.toggled.emit(self._unfolded)

    @property
    def summary(self) -> str:
        """Return the line on the content, which is shown while the section is folded."""
        return str(self._summary.value)

    def summarise(self, text: str) -> None:
        """Set the line that is shown while the section is folded."""
        self._summary.value = text
        self._show()

    def retitle(self, title: str) -> None:
        """Change the title."""
        self._title = title
        self._show()

    def _toggle(self) -> None:
        self.unfolded = not self.unfolded

    def _show(self) -> None:
        self._header.text = f"{'▾' if self._unfolded else '▸'} {self._title}"
        self._body.visible = self._unfolded
        self._summary.visible = not self._unfolded and bool(self.summary)
