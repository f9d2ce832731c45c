"""Message area of the dock: one message at a time, with buttons for remedies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import Container, PushButton

from napari_bitsnet.widgets.forms.rows import Text, plain

COLOURS = {"info": "#3a8dde", "warning": "#e0a030", "error": "#e0533d"}
SIGNS = {"info": "Note:", "warning": "⚠", "error": "✖"}
"""Said before the text; many fonts have no sign for information."""

Action = tuple[str, Callable[[], object]]
"""Text of a button and its function."""


class Notice(Container):
    """A message with buttons; hidden while there is nothing to say.

    Parameters
    ----------
    in_words : callable
        Puts a message of the package into the words of the form beside it.
    """

    def __init__(self, in_words: Callable[[str], str] = str) -> None:
        self._in_words = in_words
        self._text = Text()
        self._buttons = plain([], layout="vertical", spacing=2)
        super().__init__(widgets=[self._text, self._buttons], labels=False)
        self.margins = (8, 6, 6, 6)
        self.kind = ""
        self.native.setObjectName("notice")
        self.visible = False

    @property
    def text(self) -> str:
        """Return the message without its sign; empty if there is none."""
        return self._text.value.partition(" ")[2] if self.kind else ""

    @property
    def actions(self) -> list[str]:
        """Texts of the buttons."""
        return [button.text for button in self._buttons]

    def say(self, kind: str, text: str, actions: Sequence[Action] = ()) -> None:
        """Show a message.

        Parameters
        ----------
        kind : {"info", "warning", "error"}
            Said by colour and by sign.
        text : str
            Plain words.
        actions : sequence of (str, callable)
            Buttons; a press calls the function after the message is gone.
        """
        self.clear_message()
        self.kind = kind
        self._text.value = f"{SIGNS[kind]} {self._in_words(text)}"
        for label, function in actions:
            button = PushButton(text=label)
            button.changed.connect(lambda _=None, function=function: self._act(function))
            self._buttons.append(button)
        self.native.setStyleSheet(f"#notice {{ border-left: 4px solid {COLOURS[kind]}; }}")
        self.visible = True

    def clear_message(self) -> None:
        """Say nothing."""
        self.kind = ""
        self._text.value = ""
        self._buttons.clear()
        self.visible = False

    def press(self, label: str) -> None:
        """Press a button by its text, as a script or a test does."""
        next(button for button in self._buttons if button.text == label).changed.emit(True)

    def _act(self, function: Callable[[], object]) -> None:
        self.visible = False
        function()
