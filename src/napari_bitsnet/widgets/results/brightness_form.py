"""Brightness and order of the sources of a finished run, which no method can determine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import Container, FloatSlider, PushButton

from napari_bitsnet.core.outputs import source_names
from napari_bitsnet.widgets.forms.decimal_commas import accept_commas
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.font_following import FollowFont, scaled
from napari_bitsnet.widgets.forms.rows import Text, labelled
from napari_bitsnet.widgets.layers.parts import METADATA_KEY
from napari_bitsnet.widgets.results.edits import moved, swapped_name

if TYPE_CHECKING:
    from napari_bitsnet.api import Result
    from napari_bitsnet.widgets.run.separation import Separation

WHY = (
    "No method can determine how brightness is divided between sources. "
    "Move a slider to change it; the sum stays."
)


class BrightnessForm(Container):
    """One slider for each source, in fractions of the mixture's range; no sliders if the sources do not add
    up. `swap` exchanges the names of two sources, whether they add up or not."""

    def __init__(self) -> None:
        self._separation: Separation | None = None
        self.swappable = False
        self._layers: list[Any] = []
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
        self._layers, self.swappable = [], False
        if separation is None or separation.result is None:
            return
        named = {layer.metadata.get(METADATA_KEY, {}).get("output", ""): layer for layer in separation.layers}
        names = source_names(separation.result.outputs)
        if len(names) < 2 or not set(names) <= set(named):
            return
        self.swappable = self.swap.visible = len(names) == 2
        if not _add_up(separation.result):
            return
        sources = [named[name] for name in names]
        self._layers, edits = sources, separation.edits
        if not edits.bases:
            edits.bases = [np.asarray(layer.data) for layer in sources]
        for k in range(len(sources)):
            value = edits.shifts[k] if edits.shifts else 0
            number = 2 - k if edits.swapped else k + 1
            slider = FloatSlider(value=value, min=-0.5, max=0.5, step=0.005, label=f"Source {number}")
            slider.tooltip = tooltip(f"{WHY} In fractions of the range of the mixture.")
            accept_commas(slider.native)
            slider.native.setMinimumWidth(100)
            keep_low(slider.native)
            slider.changed.connect(self._apply)
            self._sliders.append(slider)
            row = labelled(slider)
            self._captions.append(row[0])
            self.append(row)

    def _swap(self) -> None:
        if self._separation is None:
            return
        run = self._separation
        named = {layer.metadata[METADATA_KEY]["output"]: layer for layer in run.layers}
        outputs = {} if run.result is None else run.result.outputs
        pairs = {a: swapped_name(outputs, a) for a in named if a in outputs}
        layers = [named[a] for a, b in pairs.items() if a != b]
        for a, b in pairs.items():
            if a < b and b in named:
                first, second = named[a], named[b]
                names = first.name, second.name
                first.name = f"{names[0]} …"  # two layers cannot have one name, not even for a moment
                second.name, first.name = names
        run.edits.swapped = not run.edits.swapped
        for a, b in pairs.items():
            if a != b and b not in named:
                named[a].name = run.layer_name(a)
        self._note({"swapped": run.edits.swapped}, layers)
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


def keep_low(native: Any) -> None:
    """Let a slider be no higher than a line of text needs."""
    FollowFont(native, lambda: native.setMaximumHeight(scaled(26, native)))


def _add_up(result: Result) -> bool:
    """Return True if the sources are shares of one image, as it is stored.

    Sources of several mixtures have weights, transmitted intensities multiply, and encoded light does not
    add.
    """
    residual = result.outputs.get("residual")
    if residual is None or "M" in residual.axes:
        return False
    options = result.provenance.get("settings", {}).get("options", {})
    if options.get("mixing", "linear") == "attenuation":
        return bool(options.get("output", "density") == "density")
    return bool(options.get("encoding", "linear") == "linear")
