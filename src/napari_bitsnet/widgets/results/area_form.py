"""Assign an area that is in the wrong source to another source after a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, PushButton
from napari.layers import Shapes
from psygnal import Signal
from qtpy.compat import isalive

from napari_bitsnet.widgets.alive import is_open
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.rows import plain
from napari_bitsnet.widgets.run.turns import in_turns

if TYPE_CHECKING:
    from napari_bitsnet.widgets.layers.parts import Part
    from napari_bitsnet.widgets.run.separation import Separation

WHAT = (
    "If something is in the wrong source, mark it and choose the right source: its edges move there, and the "
    "run continues."
)


class AreaForm(Container):
    """A button to mark an area, and one button for each source that it may belong to.

    Parameters
    ----------
    viewer : napari.Viewer
        Viewer in which areas are drawn.
    """

    given = Signal(object, int)
    """Emitted with the Shapes layer and the number of the chosen source, from 1."""

    drawing = Signal()
    """Emitted before drawing starts, so that images are shown on top of each other."""

    drawn = Signal()
    """Emitted after the layer for areas is gone: they were assigned, or the layer was removed by hand."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._areas: Any = None
        self._active_before: Any = None
        self._mixture: Part | None = None
        self._buttons: list[PushButton] = []
        self.mark = PushButton(
            text="Move an area…",
            tooltip=tooltip(f"{WHAT} Draw around it with the lasso of a new Shapes layer."),
        )
        self._rows = plain([], spacing=2)
        super().__init__(widgets=[self.mark, self._rows], labels=False)
        self.margins = (0, 0, 0, 0)
        self.mark.changed.connect(lambda: self.mark_area())
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def buttons(self) -> list[PushButton]:
        """Return the buttons, one for each source."""
        return self._buttons

    def follow(self, separation: Separation | None) -> None:
        """Show a button for each source of a run that can be continued; no buttons without such a run."""
        self._rows.clear()
        result = None if separation is None else separation.result
        self._mixture = None if separation is None else separation.request.mixtures[0]
        self._buttons = []
        if result is None or result.state is None or not takes_areas(result.state):
            return
        for k in range(result.state.problem.n_sources):
            button = PushButton(
                text=f"→ source {k + 1}", tooltip=tooltip(f"Assign the marked area to source {k + 1}.")
            )
            button.changed.connect(lambda _=None, k=k: self.give(k + 1))
            self._buttons.append(button)
        for k in range(0, len(self._buttons), 2):  # more have no room beside each other
            self._rows.append(plain(self._buttons[k : k + 2], layout="horizontal"))

    def mark_area(self) -> None:
        """Add a Shapes layer for areas and select its lasso tool, in two turns of the event loop."""
        in_turns(self._marking())

    def _marking(self) -> Iterator[None]:
        active = self._viewer.layers.selection.active
        if active is None or active != self._areas:
            self._active_before = active
        self.drawing.emit()
        yield
        if not is_open(self._viewer):
            return
        if self._areas is None:
            units = None if self._mixture is None else self._mixture.geometry["units"][-2:]
            self._areas = self._viewer.add_shapes(
                name="area", ndim=2, face_color="#ffb00060", edge_color="#ffb000", units=units
            )
        self._viewer.layers.selection.active = self._areas
        self._areas.mode = "add_polygon_lasso"

    def give(self, source: int) -> None:
        """Assign the selected Shapes layer, or else the marked area, to a source (from 1)."""
        active = self._viewer.layers.selection.active
        self.given.emit(active if isinstance(active, Shapes) else self._areas, source)

    def clear_areas(self, layer: Any) -> None:
        """Remove a layer of assigned areas that this form made, and select what was selected before."""
        if layer is None or layer != self._areas:
            return
        layers, before = self._viewer.layers, self._active_before
        layers.remove(layer)
        layers.selection.active = before if before is not None and before in layers else None

    def _on_removed(self, event: Any) -> None:
        if self._areas is not None and event.value == self._areas:
            self._areas = self._active_before = None
            if isalive(self.native):  # the dock may have been closed, the viewer goes on
                self.drawn.emit()


def takes_areas(session: Any) -> bool:
    """Return True if hints can change the sources of a run."""
    from napari_bitsnet.methods.wrappers.obeying import with_hints

    asks = {each.name for each in session.task.inputs}
    return "hints" in asks and with_hints(session.method, session.problem) is not None
