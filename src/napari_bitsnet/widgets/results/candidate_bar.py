"""Thumbnails of the other splits of a finished run; a click shows a split in the source layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import Container
from numpy.typing import NDArray
from qtpy.QtCore import QSize
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from napari_bitsnet.core.outputs import source_names
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.layers.parts import METADATA_KEY
from napari_bitsnet.widgets.results.edits import Edits
from napari_bitsnet.widgets.run.preview import contrast_limits

if TYPE_CHECKING:
    from napari_bitsnet.widgets.run.separation import Separation

SIDE = 54
"""Height and width of a source in a thumbnail, which has the sources one above the other; pixels."""

FRAME = "QToolButton { border: 2px solid transparent } QToolButton:checked { border: 2px solid #ffb000 }"
"""Style of the frame around the split that is shown."""
WHY = "An image can be split in several ways. The first is the answer; if it looks wrong, try another one."


class CandidateBar(Container):
    """A row of thumbnails, the answer first; empty if the method has only one answer."""

    def __init__(self) -> None:
        super().__init__(widgets=[], labels=False)
        self.margins = (0, 0, 0, 0)
        self.buttons: list[QToolButton] = []
        self._group: QButtonGroup | None = None
        self._row = QWidget()
        self._row.setStyleSheet(FRAME)
        self._thumbnails = QHBoxLayout(self._row)
        self._thumbnails.setContentsMargins(0, 0, 0, 0)
        self._thumbnails.setSpacing(2)
        self.native.layout().addWidget(self._row)
        self._layers: list[Any] = []
        self._splits: list[list[NDArray]] = []
        self._limits: list[tuple[float, ...]] = []
        self._separation: Separation | None = None

    def follow(self, separation: Separation | None) -> None:
        """Show the other splits of a run.

        Parameters
        ----------
        separation : Separation or None
            A finished run.
        """
        for button in self.buttons:
            button.setParent(None)
            button.deleteLater()
        self.buttons, self._splits, self._layers = [], [], []
        self._separation = separation
        result = None if separation is None else separation.result
        if separation is None or result is None or not result.candidates:
            return
        named = {layer.metadata.get(METADATA_KEY, {}).get("output", ""): layer for layer in separation.layers}
        names = [name for name in source_names(result.outputs) if name in named]
        self._layers = [named[name] for name in names]
        part = separation.request.mixtures[0]
        self._limits = [tuple(layer.contrast_limits) for layer in self._layers]
        self._splits = [[part.to_layer_data(result.outputs[name].array) for name in names]]
        self._splits += [[part.to_layer_data(image) for image in sources] for sources in result.candidates]
        self._group = QButtonGroup(self._row)
        for k, sources in enumerate((result.sources, *result.candidates)):
            button = QToolButton()
            button.setCheckable(True)
            button.setChecked(k == separation.edits.candidate)
            button.setIcon(QIcon(_thumbnail(sources)))
            button.setIconSize(QSize(SIDE, 2 * SIDE + 2))
            words = "The answer" if k == 0 else f"Other split, number {k} by the networks' own support"
            button.setToolTip(tooltip(f"{words}: source 1 above, source 2 below. {WHY}"))
            button.setAccessibleName(words)
            button.clicked.connect(lambda _=False, k=k: self.show_split(k))
            self._group.addButton(button)
            self._thumbnails.addWidget(button)
            self.buttons.append(button)

    def show_split(self, k: int) -> None:
        """Show a split in the source layers; 0 is the answer.

        The records of the layers name the split, and saving writes it.
        """
        if self._separation is not None:
            self._separation.edits = Edits(k, swapped=self._separation.edits.swapped)
        self.buttons[k].setChecked(True)
        for layer, image, limits in zip(self._layers, self._splits[k], self._limits, strict=True):
            layer.data = image
            layer.contrast_limits = limits if k == 0 else contrast_limits(image)
            record = {**layer.metadata[METADATA_KEY], "candidate": k}
            record.pop("brightness_shifts", None)
            layer.metadata[METADATA_KEY] = record
        self.changed.emit(k)


def _thumbnail(sources: NDArray) -> QPixmap:
    """Return two sources (2, Y, X[, C]) one above the other, each stretched to its own range."""
    pictures = []
    for source in sources:
        step = max(1, round(max(source.shape[:2]) / SIDE))
        small = np.nan_to_num(source[::step, ::step])
        small = small if small.ndim == 3 else np.repeat(small[..., None], 3, axis=-1)
        low, high = np.percentile(small, (1, 99))
        picture = np.clip((small - low) / max(high - low, 1e-12), 0, 1)
        pictures += [picture, np.zeros((2, *picture.shape[1:]))]
    pixels = np.ascontiguousarray((255 * np.concatenate(pictures[:-1])).astype(np.uint8))
    height, width, _ = pixels.shape
    data = pixels.tobytes()  # must live until it has been copied
    image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.copy())
