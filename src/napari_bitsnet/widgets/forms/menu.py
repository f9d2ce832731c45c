"""A drop-down list whose entries change, with the unsuitable ones greyed and the reason in their tooltip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox

from napari_bitsnet.widgets.forms.elided import Elided
from napari_bitsnet.widgets.forms.fields import tooltip


@dataclass(frozen=True)
class Entry:
    """Entry of a list: text, value, hint, and the reason why it cannot be chosen (None if it can)."""

    text: str
    value: Any
    hint: str = ""
    reason: str | None = None


class Menu(ComboBox):
    """Drop-down list of `Entry`.

    Parameters
    ----------
    entries : sequence of Entry
        Initial entries.
    **kwargs
        As for magicgui's ``ComboBox``: name, label, tooltip.
    """

    def __init__(self, entries: Sequence[Entry] = (), **kwargs: Any) -> None:
        self._entries: tuple[Entry, ...] = tuple(entries)
        # a function, since magicgui goes back to the first choices whenever the widget gets a new parent
        super().__init__(choices=lambda _: [(entry.text, entry.value) for entry in self._entries], **kwargs)
        shrink(self)
        self._dress()

    def offer(self, entries: Sequence[Entry], value: Any) -> None:
        """Replace the entries and choose one, without a signal.

        Parameters
        ----------
        entries : sequence of Entry
            All entries, in order.
        value : any
            Value of the entry to choose; the first suitable one if there is none such.
        """
        suitable = [entry.value for entry in entries if entry.reason is None]
        with self.changed.blocked():
            self._entries = ()
            self.reset_choices()
            self._entries = tuple(entries)
            self.reset_choices()
            if suitable:
                self.value = value if value in suitable else suitable[0]
        self._dress()

    def choose(self, value: Any) -> None:
        """Choose an entry by its value.

        Raises
        ------
        ValueError
            If there is none, or it is greyed: the message says why, or lists those there are.
        """
        entry = next((e for e in self._entries if e.value == value), None)
        if entry is None:
            raise ValueError(
                f"No {value!r} here. There are: {', '.join(str(e.value) for e in self._entries)}."
            )
        if entry.reason is not None:
            raise ValueError(f"{entry.text} does not fit here: {entry.reason}")
        self.value = value

    def reset_choices(self, *args: Any) -> None:
        """Show the entries anew."""
        super().reset_choices(*args)
        self._dress()

    def _dress(self) -> None:
        for row, entry in enumerate(self._entries):
            text = entry.hint if entry.reason is None else f"{entry.hint} Not here: {entry.reason}"
            item = self.native.model().item(row)
            item.setEnabled(entry.reason is None)
            item.setData(tooltip(text.strip()), Qt.ItemDataRole.ToolTipRole)


def shrink(combo: ComboBox) -> None:
    """Let a list be narrower than its longest entry, which is then cut in the middle."""
    combo.native.setMinimumContentsLength(8)
    combo.native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    Elided(combo.native)
