"""What no method can know about the sources of a finished run: their brightness, and which one is the first."""

from __future__ import annotations

from typing import Any

import numpy as np
from magicgui.widgets import Container, FloatSlider, PushButton
from numpy.typing import NDArray

from napari_bitsnet.core.brightness import split_brightness
from napari_bitsnet.widgets.fields import tooltip
from napari_bitsnet.widgets.layers import METADATA_KEY
from napari_bitsnet.widgets.rows import Text, labelled

WHY = "No method can know how brightness is divided between sources: move it; they keep adding up."


class BrightnessForm(Container):
    """One slider a source, in parts of the mixture's range; none without sources that add up."""

    def __init__(self) -> None:
        self._layers: list[Any] = []
        self._bases: list[NDArray] = []
        self._span = 1.0
        self._sliders: list[FloatSlider] = []
        self._captions: list[Text] = []
        self.swap = PushButton(
            text="Swap the two",
            tooltip=tooltip(
                "Exchange the names of the two sources: which one is the first cannot be known. Each keeps its record, which "
                "says what it was called in the run."
            ),
        )
        self.swap.changed.connect(self._swap)
        super().__init__(widgets=[], labels=False)
        self.margins = (0, 0, 0, 0)

    @property
    def sliders(self) -> list[FloatSlider]:
        """One a source, from -0.5 to 0.5."""
        return self._sliders

    def follow(self, layers: list[Any]) -> None:
        """Offer sliders for the layers of a run's sources, if these are shares of one mixture.

        Parameters
        ----------
        layers : list of Image
            All layers of the run.
        """
        self.clear()
        named = {layer.metadata.get(METADATA_KEY, {}).get("output", ""): layer for layer in layers}
        sources = [layer for name, layer in named.items() if name.startswith("source_")]
        self._sliders, self._captions, self._layers, self._bases = [], [], [], []
        if "residual" not in named or len(sources) < 2 or not _add_up(sources[0]):
            return
        self._layers = sources
        self._bases = [np.asarray(layer.data) for layer in sources]
        total = np.sum(self._bases, axis=0)
        self._span = float(np.nanmax(total) - np.nanmin(total)) or 1.0
        self.append(Text(WHY))
        for k in range(len(sources)):
            slider = FloatSlider(value=0, min=-0.5, max=0.5, step=0.005, label=f"Source {k + 1}")
            slider.tooltip = tooltip("In parts of the mixture's range.")
            slider.native.setMinimumWidth(100)
            slider.changed.connect(self._apply)
            self._sliders.append(slider)
            row = labelled(slider)
            self._captions.append(row[0])
            self.append(row)
        if len(sources) == 2:
            self.append(self.swap)

    def _swap(self) -> None:
        first, second = self._layers
        names = first.name, second.name
        first.name = f"{names[0]} …"  # two layers cannot have one name, not even for a moment
        second.name, first.name = names
        texts = [caption.value for caption in self._captions]
        for caption, text in zip(self._captions, reversed(texts), strict=True):
            caption.value = text

    def _apply(self) -> None:
        shifts = [slider.value * self._span for slider in self._sliders]
        for layer, data in zip(self._layers, split_brightness(self._bases, shifts), strict=True):
            layer.data = data
            layer.metadata[METADATA_KEY] = {
                **layer.metadata[METADATA_KEY],
                "brightness_shifts": [slider.value for slider in self._sliders],
            }


def _add_up(layer: Any) -> bool:
    """Whether the run's sources are shares; transmitted intensities multiply instead."""
    options = layer.metadata[METADATA_KEY].get("settings", {}).get("options", {})
    return options.get("mixing", "linear") == "linear" or options.get("output", "density") == "density"
