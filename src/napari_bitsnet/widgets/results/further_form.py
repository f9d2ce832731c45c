"""Further pictures of a result, which have no layers until they are ticked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, Container

from napari_bitsnet.widgets.forms.fields import tooltip

if TYPE_CHECKING:
    from napari_bitsnet.core.outputs import Output
    from napari_bitsnet.widgets.run.separation import Separation


class FurtherForm(Container):
    """One box for each picture of a result beyond its sources; a tick adds its layer."""

    def __init__(self) -> None:
        self._separation: Separation | None = None
        self._busy = False
        self.boxes: dict[str, CheckBox] = {}
        super().__init__(widgets=[], labels=False)
        self.margins = (8, 0, 0, 0)
        self.native.layout().setSpacing(2)

    def follow(self, separation: Separation | None) -> None:
        """Offer the further pictures of a finished run."""
        self.clear()
        self._separation, self.boxes = separation, {}
        for name, output in ({} if separation is None else separation.further_outputs()).items():
            box = CheckBox(text=caption(name, output), tooltip=tooltip(output.description))
            box.changed.connect(lambda on, name=name: self._show(name, on))
            self.boxes[name] = box
            self.append(box)
        self.sync()

    def sync(self) -> None:
        """Tick the pictures whose layers are in the viewer."""
        if self._busy:  # a layer is being added or removed
            return
        for name, box in self.boxes.items():
            with box.changed.blocked():
                box.value = self._separation is not None and self._separation.layer_of(name) is not None

    def _show(self, name: str, on: Any) -> None:
        if self._separation is None:
            return
        self._busy = True
        try:
            self._separation.show_output(name, bool(on))
        finally:
            self._busy = False
        self.sync()


def caption(name: str, output: Output) -> str:
    """Return a few words about an output; long captions are those of the layer's name."""
    words = output.caption
    return words if len(words) <= MOST_LETTERS else name.replace("_", " ").capitalize()


MOST_LETTERS = 28
"""Most letters of a caption that fits into the form beside its box."""
