"""Choice of the device; devices are queried on another thread after the form is shown."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container
from psygnal import Signal
from superqt.utils import create_worker

from napari_bitsnet.widgets.alive import while_alive
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.help import GENERAL, help_button
from napari_bitsnet.widgets.forms.menu import Entry, Menu
from napari_bitsnet.widgets.forms.rows import Text, labelled, plain

AMBER = "#e0a030"

SLOW = (
    "No GPU that PyTorch can use: methods with networks take minutes, closed forms are fast. The question "
    "mark says how to enable one."
)


class DeviceBox(Container):
    """List of devices, with a line about the chosen one.

    Parameters
    ----------
    device : str
        Device to start with.
    """

    looked = Signal()
    """Emitted when the devices are known."""

    def __init__(self, device: str = "auto") -> None:
        self._descriptions: dict[str, str] = {}
        self._worker: Any = None
        names = dict.fromkeys(("auto", device, "cpu"))
        self.menu = Menu(
            [Entry(name, name) for name in names],
            label="Device",
            tooltip=tooltip("Processor or graphics card for the run."),
        )
        self.menu.value = device
        self._line = Text("Looking for devices…")
        row = plain([labelled(self.menu), help_button(GENERAL)], layout="horizontal")
        super().__init__(widgets=[row, self._line], labels=False)
        self.margins = (0, 0, 0, 0)
        self.menu.changed.connect(self._describe)

    @property
    def value(self) -> str:
        """Return the name of the chosen device."""
        return str(self.menu.value)

    @property
    def line(self) -> str:
        """Return the text about the chosen device."""
        return str(self._line.value)

    @property
    def description(self) -> str:
        """Return the description of the chosen device without advice; empty while it is unknown."""
        return self._descriptions.get(self.value, "")

    def choose(self, device: str) -> None:
        """Choose a device; an unknown device is also accepted, and the run reports if it is missing."""
        entries = [
            Entry(name, name, self._descriptions.get(name, "")) for name in map(str, self.menu.choices)
        ]
        if device not in self.menu.choices:
            self.menu.offer([*entries, Entry(device, device)], device)
        self.menu.choose(device)

    def look(self) -> None:
        """Query the devices on another thread, because that loads PyTorch.

        Not through napari's own `create_worker`, whose workers make the window ask before it closes.
        """
        if self._worker is None and not self._descriptions:
            self._worker = create_worker(
                find_devices,
                _connect={
                    "returned": while_alive(self, self.show_devices),
                    "errored": while_alive(self, self._on_error),
                },
            )

    def show_devices(self, descriptions: dict[str, str]) -> None:
        """Offer these devices.

        Parameters
        ----------
        descriptions : dict of str to str
            From `find_devices`.
        """
        self._worker, self._descriptions = None, descriptions
        chosen = self.value
        names = ["auto", *(name for name in descriptions if name != "auto")]
        self.menu.offer([Entry(name, name, descriptions[name]) for name in names], chosen)
        self._describe()
        self.looked.emit()

    def _on_error(self, error: Exception) -> None:
        self._worker = None
        self._line.value = f"The devices could not be found: {error}"

    def _describe(self) -> None:
        if not self._descriptions:
            return
        text = self._descriptions.get(self.value, "")
        slow = text.lower().startswith("cpu")
        self._line.value = f"⚠ {text}. {SLOW}" if slow else text
        # a coloured edge: amber letters are hard to read in the light theme
        edge = f"border-left: 4px solid {AMBER}; padding-left: 4px;" if slow else ""
        self._line.native.setStyleSheet(edge)


def find_devices() -> dict[str, str]:
    """Return this machine's devices with a line about each: ``{"auto": …, "cuda:0": …, "cpu": …}``."""
    from napari_bitsnet.core.device import describe_device, list_devices

    return {name: describe_device(name) for name in ("auto", *list_devices())}
