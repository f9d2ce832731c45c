"""Show the outputs of a run side by side with captions, or one image at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import CheckBox, Container
from napari.layers import Image
from qtpy.compat import isalive

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.menu import Entry, Menu
from napari_bitsnet.widgets.layers.parts import METADATA_KEY

EVERYTHING = "all"

LOOKING = ("pan_zoom", "transform")
"""Modes of the active layer in which the user is not drawing."""


class ViewBar(Container):
    """Show outputs side by side or alone; hidden until there are outputs.

    Parameters
    ----------
    viewer : napari.Viewer
        Viewer whose layers are shown and hidden.
    by_itself : bool
        Whether the images of the first run are shown side by side, unless the user has chosen a view.
    """

    def __init__(self, viewer: Any, *, by_itself: bool = True) -> None:
        self._viewer = viewer
        # the grid moved from the viewer to its canvas in napari 0.9
        self._grid = (viewer.canvas if hasattr(viewer, "canvas") else viewer).grid
        arranged = self._grid.enabled or self._grid.stride != 1 or tuple(self._grid.shape) != (-1, -1)
        self._by_itself = by_itself and not arranged
        self._cells = 0
        self._before: bool | None = None
        self.side_by_side = CheckBox(
            text="Side by side", tooltip=tooltip("Show all visible layers next to each other, not on top.")
        )
        self.alone = Menu(
            [Entry("Show…", EVERYTHING)], tooltip=tooltip("Show one image and hide the others.")
        )
        super().__init__(widgets=[self.side_by_side, self.alone], layout="horizontal", labels=False)
        self.margins = (0, 0, 0, 0)
        self._visible_before: dict[Any, bool] = {}  # by the layer's id: deleted layers are let go
        self._captioned: set[Any] = set()  # ids of layers whose names this bar shows
        self._caption()
        self.side_by_side.value = self._grid.enabled
        self.side_by_side.changed.connect(self._set_grid)
        for event in (self._grid.events.enabled, self._grid.events.stride, self._grid.events.shape):
            event.connect(self._on_grid)
        self.alone.changed.connect(self._show_alone)
        self.visible = False

    def overlay(self) -> None:
        """Show images on top of each other."""
        self.side_by_side.value = False

    def overlay_for_now(self) -> None:
        """Show images on top of each other, as for drawing, and remember how they were shown."""
        if self._before is None:
            self._before = bool(self.side_by_side.value)
        self.overlay()

    def show_as_before(self) -> None:
        """Show images as they were before `overlay_for_now`."""
        before, self._before = self._before, None
        if before:
            self.side_by_side.value = True

    def reset_choices(self, *_: Any) -> None:
        """List the images of the viewer."""
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        self.visible = any(METADATA_KEY in layer.metadata for layer in images)
        self.alone.offer(
            [Entry("All as before", EVERYTHING), *(Entry(f"Only {layer.name}", layer) for layer in images)],
            self.alone.value,
        )
        cells = sum(layer.visible for layer in self._viewer.layers)
        if self.side_by_side.value and cells != self._cells:
            self._viewer.reset_view()
        self._cells = cells
        self._caption()

    def show_all(self, layers: Sequence[Any]) -> None:
        """Show the images of a run side by side once, but never change a grid that the user has set up.

        Parameters
        ----------
        layers : sequence of layers
            Layers of the run. The view stays unchanged for a single image, and while the user draws.
        """
        self._hide_other_runs(layers)
        active = self._viewer.layers.selection.active
        drawing = active is not None and str(active.mode) not in LOOKING
        if self._by_itself and not drawing and sum(layer.visible for layer in layers) > 1:
            self.side_by_side.value = True

    def _hide_other_runs(self, layers: Sequence[Any]) -> None:
        """Hide the results of earlier runs in a grid; *All as before* shows them again."""
        if not (self._by_itself or self.side_by_side.value):
            return
        for layer in self._viewer.layers:
            if METADATA_KEY in layer.metadata and layer not in layers and layer.visible:
                self._visible_before.setdefault(layer.unique_id, True)
                layer.visible = False

    def _caption(self) -> None:
        """Show the names of the layers in the cells of the grid, and hide those that were shown by this."""
        on = bool(self._grid.enabled)
        for layer in self._viewer.layers:
            overlay = getattr(layer, "name_overlay", None)  # from napari 0.7
            if overlay is None or on == (layer.unique_id in self._captioned):
                continue
            if on and not overlay.visible:
                overlay.visible = True
                self._captioned.add(layer.unique_id)
            elif not on:
                overlay.visible = False
                self._captioned.discard(layer.unique_id)

    def _set_grid(self, on: bool) -> None:
        self._grid.enabled = on
        self._viewer.reset_view()

    def _on_grid(self, _: Any) -> None:
        """Follow the grid button of the viewer; a grid that the user has changed is left alone."""
        if not isalive(self.native):
            return
        self._by_itself = False
        self._caption()
        with self.side_by_side.changed.blocked():
            self.side_by_side.value = self._grid.enabled

    def _show_alone(self, chosen: Any) -> None:
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        if chosen == EVERYTHING:
            for layer in images:
                layer.visible = self._visible_before.get(layer.unique_id, layer.visible)
            self._visible_before.clear()
            return
        for layer in images:
            self._visible_before.setdefault(layer.unique_id, layer.visible)
            layer.visible = layer == chosen
