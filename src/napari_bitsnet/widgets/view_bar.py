"""Looking at what a run has made: all side by side, or one image at a time."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import CheckBox, Container
from napari.layers import Image

from napari_bitsnet.widgets.fields import tooltip
from napari_bitsnet.widgets.layers import METADATA_KEY
from napari_bitsnet.widgets.menu import Entry, Menu

EVERYTHING = "all"


class ViewBar(Container):
    """Side by side, or one output alone; hidden until there are outputs.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are shown and hidden.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self.side_by_side = CheckBox(
            text="Side by side", tooltip=tooltip("Show all visible layers next to each other, not on top.")
        )
        self.alone = Menu(
            [Entry("Show…", EVERYTHING)], tooltip=tooltip("Show one image and hide the others.")
        )
        super().__init__(widgets=[self.side_by_side, self.alone], layout="horizontal", labels=False)
        self.margins = (0, 0, 0, 0)
        self._visible_before: dict[Any, bool] = {}  # by the layer's id: deleted layers are let go
        self.side_by_side.changed.connect(self._set_grid)
        self.alone.changed.connect(self._show_alone)
        self.visible = False

    def overlay(self) -> None:
        """Show images on top of each other."""
        self.side_by_side.value = False

    def reset_choices(self, *_: Any) -> None:
        """Offer the images that there are."""
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        self.visible = any(METADATA_KEY in layer.metadata for layer in images)
        self.alone.offer(
            [Entry("All as before", EVERYTHING), *(Entry(f"Only {layer.name}", layer) for layer in images)],
            self.alone.value,
        )
        if self.side_by_side.value:
            self._viewer.reset_view()  # the grid has another number of cells

    def _set_grid(self, on: bool) -> None:
        # the grid moved from the viewer to its canvas in napari 0.9
        home = self._viewer.canvas if hasattr(self._viewer, "canvas") else self._viewer
        home.grid.enabled = on
        self._viewer.reset_view()

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
