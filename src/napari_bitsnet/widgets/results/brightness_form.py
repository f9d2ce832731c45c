"""Brightness and order of the sources of a finished run, which no method can determine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import Container, FloatSlider, PushButton

from napari_bitsnet.core.outputs import source_names
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.rows import Text, labelled
from napari_bitsnet.widgets.layers.parts import METADATA_KEY
from napari_bitsnet.widgets.results.edits import moved, swapped_name

if TYPE_CHECKING:
    from napari_bitsnet.widgets.run.separation import Separation

WHY = (
    "No method can determine how brightness is divided between sources. "
    "Move a slider to change it; the sum stays."
)


class BrightnessForm(Container):
    """One slider for each source, in fractions of the mixture's range; no sliders if the sources do not add
    up."""

    def __init__(self) -> None:
        self._separation: Separation | None = None
        self._layers: list[Any] = []
        self._pairs: list[tuple[Any, Any]] = []
        self._sliders: list[FloatSlider] = []
        self._captions: list[Text] = []
        self.swap = PushButton(
            text="Swap the two",
            tooltip=tooltip(
                "Exchange the names of the two sources: which one is the first cannot be known. Each keeps "
                "its record, which says what it was called in the run."
            ),
        )
        self.swap.changed.connect(self._swap)
        super().__init__(widgets=[], labels=False)
        self.margins = (0, 0, 0, 0)

    @property
    def sliders(self) -> list[FloatSlider]:
        """Return the sliders, one for each source, from -0.5 to 0.5."""
        return self._sliders

    def follow(self, separation: Separation | None) -> None:
        """Show sliders for the source layers of a run if these are shares of one mixture.

        Parameters
        ----------
        separation : Separation or None
            A finished run, whose `Edits` have the positions of the sliders.
        """
        self.clear()
        self._separation, self._sliders, self._captions = separation, [], []
        self._layers, self._pairs = [], []
        if separation is None or separation.result is None:
            return
        named = {layer.metadata.get(METADATA_KEY, {}).get("output", ""): layer for layer in separation.layers}
        outputs = separation.result.outputs
        names = source_names(outputs)
        if "residual" not in named or len(names) < 2 or not set(names) <= set(named):
            return
        sources = [named[name] for name in names]
        if not _add_up(sources[0]):
            return
        self._layers, edits = sources, separation.edits
        if not edits.bases:
            edits.bases = [np.asarray(layer.data) for layer in sources]
        swapped = {name: swapped_name(outputs, name) for name in named if name in outputs}
        self._pairs = [(named[a], named[b]) for a, b in swapped.items() if a < b and b in named]
        self.append(Text(WHY))
        for k in range(len(sources)):
            value = edits.shifts[k] if edits.shifts else 0
            number = 2 - k if edits.swapped else k + 1
            slider = FloatSlider(value=value, min=-0.5, max=0.5, step=0.005, label=f"Source {number}")
            slider.tooltip = tooltip("In fractions of the range of the mixture.")
            slider.native.setMinimumWidth(100)
            slider.changed.connect(self._apply)
            self._sliders.append(slider)
            row = labelled(slider)
            self._captions.append(row[0])
            self.append(row)
        if len(sources) == 2:
            self.append(self.swap)

    def _swap(self) -> None:
        if self._separation is None:
            return
        for first, second in self._pairs:
            names = first.name, second.name
            first.name = f"{names[0]} …"  # two layers cannot have one name, not even for a moment
            second.name, first.name = names
        self._separation.edits.swapped = not self._separation.edits.swapped
        self._note(
            {"swapped": self._separation.edits.swapped}, [layer for pair in self._pairs for layer in pair]
        )
        texts = [caption.value for caption in self._captions]
        for caption, text in zip(self._captions, reversed(texts), strict=True):
            caption.value = text

    def _apply(self) -> None:
        if self._separation is None:
            return
        edits = self._separation.edits
        edits.shifts = tuple(slider.value for slider in self._sliders)
        for layer, data in zip(self._layers, moved(edits.bases, edits.shifts), strict=True):
            layer.data = data
        self._note({"brightness_shifts": list(edits.shifts)}, self._layers)

    def _note(self, what: dict[str, Any], layers: list[Any]) -> None:
        """Write the changes into the records of the layers."""
        for layer in layers:
            layer.metadata[METADATA_KEY] = {**layer.metadata[METADATA_KEY], **what}


def _add_up(layer: Any) -> bool:
    """Return True if the sources of the run are shares; transmitted intensities multiply instead."""
    options = layer.metadata[METADATA_KEY].get("settings", {}).get("options", {})
    return options.get("mixing", "linear") == "linear" or options.get("output", "density") == "density"
