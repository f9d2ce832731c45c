"""Form for the part of the layers to separate: level, slices and region; hidden if there is no choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from magicgui.widgets import Container
from napari.layers import Labels, Shapes

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.menu import Entry, Menu
from napari_bitsnet.widgets.forms.rows import labelled
from napari_bitsnet.widgets.layers.alignment import align
from napari_bitsnet.widgets.layers.parts import Part, layer_part, layer_shape
from napari_bitsnet.widgets.layers.shapes import shapes_part
from napari_bitsnet.widgets.layers.units import factors, in_layer

CURRENT, ALL = "current", "all"
WHOLE, IN_VIEW, RECTANGLE, RECORDED = "whole", "view", "rectangle", "recorded"

REGIONS = (
    Entry("Whole image", WHOLE),
    Entry("What is in view", IN_VIEW),
    Entry("Selected rectangle", RECTANGLE, "The selected shapes of a Shapes layer, or all of them."),
)


class PartForm(Container):
    """Slices, region and level of the mixture; the other inputs follow where they have the same shape."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._recorded: tuple[int, tuple[slice, slice]] | None = None  # level, and the region in its pixels
        self.slices = Menu(
            [Entry("Current slice", CURRENT), Entry("All slices", ALL)],
            label="Slices",
            tooltip=tooltip("Separate the current slice, or all slices one after the other."),
        )
        self.region = Menu(
            REGIONS,
            label="Region",
            tooltip=tooltip("Try a part first: it is faster."),
        )
        self.level = Menu(
            [Entry("Full", 0)], label="Level", tooltip=tooltip("Resolution level of the image.")
        )
        self._rows = {
            "slices": labelled(self.slices),
            "region": labelled(self.region),
            "level": labelled(self.level),
        }
        super().__init__(widgets=list(self._rows.values()), labels=False)
        self.margins = (0, 0, 0, 0)
        self.show_layer(None)

    def show_layer(self, layer: Any) -> None:
        """Offer what there is to choose for this mixture."""
        self._rows["slices"].visible = layer is not None and layer.ndim > 2
        levels = layer.data if layer is not None and layer.multiscale else []
        self._rows["level"].visible = len(levels) > 1
        entries = [
            Entry(f"{k}: {data.shape[layer.ndim - 1]} × {data.shape[layer.ndim - 2]}", k)
            for k, data in enumerate(levels)
        ]
        self.level.offer(entries or [Entry("Full", 0)], self.level.value)

    def use_record(self, layer: Any, entry: dict[str, Any]) -> list[str]:
        """Choose level, slice and region of an earlier run.

        Parameters
        ----------
        layer : Image or None
            The mixture; None if it is gone.
        entry : dict
            What the record of the run says about the mixture; see `Part.record`.

        Returns
        -------
        list of str
            A sentence about everything that does not fit the layer.
        """
        box, position, level = entry.get("box"), entry.get("position"), int(entry.get("level") or 0)
        if layer is None:
            place = [*(["region"] if box else []), *(["slice"] if position else [])]
            return [f"The {' and the '.join(place)} of the run: choose the image first."] if place else []
        self.show_layer(layer)
        missing = []
        if level in self.level.choices:
            self.level.choose(level)
        else:
            missing.append(f"Level: {layer.name} has no level {level}.")
            level = 0
        if layer.ndim > 2:
            self.slices.choose(ALL if position is None else CURRENT)
            stack = layer_shape(layer)[:-2]
            if position is None or _is_inside(position, stack):
                self._show_slice(layer, position or ())
            else:
                missing.append(f"Slices: {layer.name} has no slice {', '.join(map(str, position))}.")
        return missing + self._use_box(layer, level, box)

    def _use_box(self, layer: Any, level: int, box: Any) -> list[str]:
        """Choose the region of an earlier run, in pixels of the level, or the whole image."""
        height, width = layer_shape(layer, level)[-2:]
        if not box:
            self.region.offer(REGIONS, WHOLE)
            self.region.changed.emit(WHOLE)
            return []
        (top, bottom), (left, right) = box
        if bottom > height or right > width:
            return [f"Region: {layer.name} is smaller than the region of the run."]
        self._recorded = level, (slice(top, bottom), slice(left, right))
        hint = f"Rows {top} to {bottom - 1} and columns {left} to {right - 1} of level {level}."
        self.region.offer((*REGIONS, Entry("As in the result", RECORDED, hint)), RECORDED)
        self.region.changed.emit(RECORDED)
        return []

    def _show_slice(self, layer: Any, position: Sequence[int]) -> None:
        """Let the viewer show a slice of a layer."""
        if not position:
            return
        dims = self._viewer.dims
        place = np.asarray(layer.data_to_world((*position, 0, 0)), dtype=float)[:-2]
        ratio = 1 / factors(_units_of(dims), layer.units, layer.ndim)[:-2]
        first = dims.ndim - layer.ndim
        for k, value in enumerate(place * ratio):
            dims.set_point(first + k, float(value))

    def take(self, layer: Any) -> Part:
        """Take the chosen part of the mixture.

        Raises
        ------
        ValueError
            If the region is empty.
        """
        level = int(self.level.value) if layer.multiscale else 0
        if layer.multiscale and level >= len(layer.data):  # one of several that the form does not show
            raise ValueError(
                f"Expected level {level}, as chosen, in {layer.name}, got {len(layer.data)} levels: choose "
                "another level."
            )
        position = self.position(layer) if layer.ndim > 2 and self.slices.value == CURRENT else None
        return layer_part(layer, level=level, position=position, box=self._box(layer, level))

    def size(self, layer: Any) -> tuple[int, int]:
        """Height and width in pixels of what `take` would take.

        Raises
        ------
        ValueError
            If the region is empty.
        """
        level = int(self.level.value) if layer.multiscale else 0
        box = self._box(layer, level)
        if box is None:
            height, width = layer_shape(layer, level)[-2:]
            return height, width
        return box[0].stop - box[0].start, box[1].stop - box[1].start

    def take_beside(self, layer: Any, mixture: Any, taken: Part) -> Part:
        """Take another input on the pixels of the mixture's part: the same slices if it is such a stack."""
        if isinstance(layer, Shapes):
            return shapes_part(layer, taken)
        position = None
        if layer.ndim > 2 and (taken.record["position"] is not None or mixture.ndim == 2):
            same_stack = layer_shape(layer)[:-2] == layer_shape(mixture)[:-2]
            position = taken.record["position"] if same_stack else self.position(layer)
        labels = isinstance(layer, Labels)
        return align(layer_part(layer, position=position), taken, labels=labels)

    def position(self, layer: Any) -> list[int]:
        """Index of the slice that is shown, along each axis in front of Y and X.

        Raises
        ------
        ValueError
            If no such slice is shown: the viewer's axes are rolled, or it shows a volume.
        """
        dims = self._viewer.dims
        self._check_shown(layer, "All slices")
        index = np.round(in_layer(np.asarray(dims.point), _units_of(dims), layer)[:-2]).astype(int)
        return [int(i) for i in np.clip(index, 0, np.array(layer_shape(layer)[:-2]) - 1)]

    def _box(self, layer: Any, level: int) -> Sequence[slice] | None:
        if self.region.value == WHOLE:
            return None
        if self.region.value == RECORDED and self._recorded is not None:
            at, box = self._recorded
            height, width = layer_shape(layer, level)[-2:]
            if at == level and box[0].stop <= height and box[1].stop <= width:
                return box
            raise ValueError(
                f"Expected level {at} of an image with the region of the result, got level {level} of "
                f"{layer.name} ({width} × {height} pixels): choose another region."
            )
        corners = (
            self._corners_in_view(layer) if self.region.value == IN_VIEW else self._corners_of_shapes(layer)
        )
        factor = np.array(layer_shape(layer)[-2:]) / np.array(layer_shape(layer, level)[-2:])
        size = np.array(layer_shape(layer, level)[-2:])
        low = np.clip(np.floor(corners.min(axis=0) / factor + 0.5), 0, size).astype(int)
        high = np.clip(np.floor(corners.max(axis=0) / factor + 0.5) + 1, 0, size).astype(int)
        if (high - low < 2).any():
            raise ValueError(f"Expected a region of at least 2 × 2 pixels of {layer.name}, got none there.")
        return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))

    def _corners_of_shapes(self, layer: Any) -> np.ndarray:
        """Corners (N, 2) of the selected shapes in full-resolution pixels of the layer."""
        active = self._viewer.layers.selection.active
        shapes = active if isinstance(active, Shapes) else None
        if shapes is None:
            shapes = next(
                (s for s in reversed(self._viewer.layers) if isinstance(s, Shapes) and s.nshapes), None
            )
        if shapes is None or not shapes.nshapes:
            raise ValueError(
                "Expected a rectangle in a Shapes layer, got none: draw one, or choose Whole image."
            )
        chosen = sorted(shapes.selected_data) or range(shapes.nshapes)
        points = np.concatenate([np.asarray(shapes.data[k]) for k in chosen])
        world = [np.asarray(shapes.data_to_world(point)) for point in points]
        return np.array([in_layer(place, shapes.units, layer)[-2:] for place in world])

    def _corners_in_view(self, layer: Any) -> np.ndarray:
        """Corners (2, 2) of what is in view, in full-resolution pixels of the layer."""
        self._check_shown(layer, "Whole image")
        units = _units_of(self._viewer.dims)
        if (factors(units, layer.units, 2) != 1).any():
            # napari 0.9 does not convert units where it says which pixels are in view
            raise ValueError(
                f"Expected the viewer to count in the units of {layer.name} ({layer.units[-1]:~}), got "
                f"{units[-1]:~} of another layer: draw a rectangle, or choose Whole image."
            )
        corners = np.asarray(layer.corner_pixels, dtype=float)[:, -2:]
        if layer.multiscale:
            corners = corners * np.asarray(layer.downsample_factors)[layer.data_level][-2:]
        return corners

    def _check_shown(self, layer: Any, instead: str) -> None:
        """Raise a ValueError if the viewer does not show a plane along the layer's last two axes."""
        dims = self._viewer.dims
        shown = sorted(axis - dims.ndim for axis in dims.displayed)
        if shown == [-2, -1]:
            return
        if len(shown) > 2:
            what = "a volume: switch to 2D"
        else:
            axes = " and ".join(str(axis) for axis in shown)
            what = f"the axes {axes}, which were rolled: put them back (napari's buttons below the layers)"
        raise ValueError(
            f"Expected the viewer to show the last two axes (-2 and -1) of {layer.name}, got {what}, or "
            f"choose {instead}."
        )


def _is_inside(position: Sequence[int], stack: Sequence[int]) -> bool:
    """Return True if a stack of this shape has a slice."""
    return len(position) == len(stack) and all(0 <= p < n for p, n in zip(position, stack, strict=True))


def _units_of(dims: Any) -> Any:
    """Units in which the viewer counts; None where its layers have none in common, and in napari before
    0.9."""
    return getattr(dims, "units", None)
