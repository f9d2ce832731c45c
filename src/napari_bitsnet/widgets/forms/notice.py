"""Message area of the dock: one message at a time, with buttons for remedies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import Container, PushButton
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.font_following import FollowFont, scaled
from napari_bitsnet.widgets.forms.rows import FORM_WIDTH, Text, plain

COLOURS = {"info": "#3a8dde", "warning": "#e0a030", "error": "#e0533d"}
SIGNS = {"info": "Note:", "warning": "⚠", "error": "✖"}
"""Said before the text; many fonts have no sign for information."""

MOST_LINES = 5
"""Lines of a message that are in sight at once; longer ones scroll."""

Action = tuple[str, Callable[[], object]]
"""Text of a button and its function."""


class Notice(Container):
    """A message with buttons, which can be closed; hidden while there is nothing to say.

    Parameters
    ----------
    in_words : callable
        Puts a message of the package into the words of the form beside it.
    """

    def __init__(self, in_words: Callable[[str], str] = str) -> None:
        self._in_words = in_words
        self._text = Text(width=FORM_WIDTH - 60)
        self.close_button = PushButton(text="×", tooltip=tooltip("Close this message."))
        native = self.close_button.native
        native.setAccessibleName("Close this message")
        FollowFont(native, lambda: native.setFixedSize(scaled(20, native), scaled(20, native)))
        row = plain([self.close_button], layout="horizontal")
        self._area = QScrollArea()  # a long message leaves room for the form
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._text.native.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._area.setWidget(self._text.native)
        row.native.layout().insertWidget(0, self._area, 1)
        row.native.layout().setAlignment(native, Qt.AlignmentFlag.AlignTop)
        self._buttons = plain([], layout="vertical", spacing=2)
        super().__init__(widgets=[row, self._buttons], labels=False)
        self.close_button.changed.connect(lambda _=None: self.clear_message())
        self.margins = (8, 6, 6, 6)
        self.kind, self.lasting = "", False
        self.native.setObjectName("notice")
        FollowFont(self._text.native, self._fit)
        self.visible = False

    @property
    def text(self) -> str:
        """Return the message without its sign; empty if there is none."""
        return self._text.value.partition(" ")[2] if self.kind else ""

    @property
    def actions(self) -> list[str]:
        """Texts of the buttons."""
        return [button.text for button in self._buttons]

    def say(self, kind: str, text: str, actions: Sequence[Action] = (), *, lasting: bool = False) -> None:
        """Show a message.

        Parameters
        ----------
        kind : {"info", "warning", "error"}
            Said by colour and by sign.
        text : str
            Plain words.
        actions : sequence of (str, callable)
            Buttons; a press calls the function after the message is gone.
        lasting : bool
            Whether the message holds for a result, and so also after the form is edited; see `settle`.
        """
        self.clear_message()
        self.kind, self.lasting = kind, lasting
        self._text.value = f"{SIGNS[kind]} {self._in_words(text)}"
        for label, function in actions:
            button = PushButton(text=label)
            button.changed.connect(lambda _=None, function=function: self._act(function))
            self._buttons.append(button)
        self._fit()
        self.native.setStyleSheet(f"#notice {{ border-left: 4px solid {COLOURS[kind]}; }}")
        self.visible = True

    def settle(self, *_: object) -> None:
        """Clear a message about inputs or settings, because they have been changed."""
        if not self.lasting:
            self.clear_message()

    def clear_message(self) -> None:
        """Say nothing."""
        self.kind, self.lasting = "", False
        self._text.value = ""
        self._buttons.clear()
        self.visible = False

    def _fit(self) -> None:
        """Make room for the lines of the text, but not for more than a few."""
        native = self._text.native
        most = MOST_LINES * native.fontMetrics().lineSpacing()
        self._area.setFixedHeight(max(1, min(native.minimumHeight(), most)))

    def press(self, label: str) -> None:
        """Press a button by its text, as a script or a test does."""
        next(button for button in self._buttons if button.text == label).changed.emit(True)

    def _act(self, function: Callable[[], object]) -> None:
        self.visible = False
        function()
