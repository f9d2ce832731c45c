"""A drop-down list whose entries change; unsuitable ones are left out, or greyed with the reason in their
tooltip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QComboBox

from napari_bitsnet.widgets.alive import while_alive
from napari_bitsnet.widgets.forms.elided import Elided
from napari_bitsnet.widgets.forms.fields import tooltip

SHOW_ALL, SHOW_FITTING = "…show all", "…show fitting"
"""Values of the last entry of a list with unsuitable ones, which shows them or leaves them out."""


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
    only_suitable : bool
        Whether unsuitable entries are left out until the last entry, *Show all*, is chosen.
    **kwargs
        As for magicgui's ``ComboBox``: name, label, tooltip.
    """

    def __init__(self, entries: Sequence[Entry] = (), *, only_suitable: bool = False, **kwargs: Any) -> None:
        self._entries: tuple[Entry, ...] = tuple(entries)
        self._only_suitable, self._all, self._chosen = only_suitable, False, None
        # a function, since magicgui goes back to the first choices whenever the widget gets a new parent
        super().__init__(choices=lambda _: [(entry.text, entry.value) for entry in self._listed()], **kwargs)
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
        self._chosen = self.value
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

    def show_all(self, show: bool = True) -> None:
        """List the unsuitable entries as well, greyed, or leave them out; the choice stays."""
        self._all = show
        self.offer(self._entries, self._chosen)

    def _listed(self) -> tuple[Entry, ...]:
        unsuitable = sum(entry.reason is not None for entry in self._entries)
        if not self._only_suitable or not unsuitable:
            return self._entries
        if self._all:
            return (*self._entries, Entry("Show only those that fit…", SHOW_FITTING))
        hint = "List those that do not fit as well, with the reason."
        shown = (entry for entry in self._entries if entry.reason is None)
        return (*shown, Entry(f"Show all ({unsuitable} more)…", SHOW_ALL, hint))

    def _on_value_change(self, value: Any = None) -> None:
        """Tell of a choice; the last entry chooses nothing, but lists other entries."""
        if isinstance(value, str) and value in (SHOW_ALL, SHOW_FITTING):
            self.show_all(value == SHOW_ALL)
            if self.native.isVisible():
                QTimer.singleShot(0, while_alive(self, self.native.showPopup))
            return
        self._chosen = value
        super()._on_value_change(value)

    def reset_choices(self, *args: Any) -> None:
        """Show the entries anew."""
        super().reset_choices(*args)
        self._dress()

    def _dress(self) -> None:
        for row, entry in enumerate(self._listed()):
            text = entry.hint if entry.reason is None else f"{entry.hint} Not here: {entry.reason}"
            item = self.native.model().item(row)
            item.setEnabled(entry.reason is None)
            item.setData(tooltip(text.strip()), Qt.ItemDataRole.ToolTipRole)


def shrink(combo: ComboBox) -> None:
    """Let a list be narrower than its longest entry, which is then cut in the middle."""
    combo.native.setMinimumContentsLength(8)
    combo.native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    Elided(combo.native)
