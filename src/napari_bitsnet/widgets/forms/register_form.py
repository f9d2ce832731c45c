"""Guides and further mixtures registered to the image: automatically or by points, judged on a
checkerboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, Container, PushButton
from napari.qt.threading import create_worker
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.compat import isalive

from napari_bitsnet.widgets.alive import is_open
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.layer_inputs import LayerInputs
from napari_bitsnet.widgets.forms.menu import Entry, Menu
from napari_bitsnet.widgets.forms.part_form import PartForm
from napari_bitsnet.widgets.forms.rows import Text, labelled, plain
from napari_bitsnet.widgets.layers.parts import Part, layer_part, layer_shape
from napari_bitsnet.widgets.layers.placing import (
    add_warped,
    in_pixels,
    place_of,
    put_back,
    put_onto,
    show_checkerboard,
)
from napari_bitsnet.widgets.run.turns import in_turns

MODELS = (
    Entry("shift", "shift", "The layer is moved."),
    Entry("affine", "affine", "The layer is moved, rotated, scaled and sheared."),
    Entry("projective", "projective", "Perspective may change as well; a new layer is created."),
    Entry("smooth", "smooth", "The layer is deformed smoothly as well; a new layer is created."),
)


class RegisterForm(Container):
    """Which layer is brought onto the image, how, and the checkerboard to judge it by.

    Parameters
    ----------
    viewer : napari.Viewer
        Where points and the checkerboard are shown.
    inputs : LayerInputs
        What is chosen as image, guides and further mixtures.
    part : PartForm
        Says which slice is shown.
    """

    placed = Signal()
    """Emitted after a layer was brought to another place."""

    def __init__(self, viewer: Any, inputs: LayerInputs, part: PartForm) -> None:
        self._viewer, self._inputs, self._part = viewer, inputs, part
        self._before: tuple[Any, dict[str, Any]] | None = None
        self._board: Any = None
        self._points: dict[Any, Any] = {}  # by the image on which they are set: the moved one, then the fixed
        self._worker: Any = None
        self.moving = Menu(label="Move", tooltip=tooltip("Layer that is registered to the image."))
        self.model = Menu(MODELS, label="Model", tooltip=tooltip("Kinds of change that are allowed."))
        self.model.value = "affine"
        self.mirror = CheckBox(
            text="Mirror it first",
            tooltip=tooltip("Use this for a photograph of the back, taken from behind."),
        )
        self.auto = PushButton(
            text="Register",
            tooltip=tooltip("Find the transform for which the layer agrees best with the image."),
        )
        self.points = PushButton(
            text="Set points",
            tooltip=tooltip(
                "Add two Points layers. Set points on the same details in the same order in both, then press "
                "again. One pair gives a shift, two pairs rotation and scale, three or more an affine map."
            ),
        )
        self.board = PushButton(
            text="Checkerboard",
            tooltip=tooltip(
                "Show both images on a checkerboard: contours should continue across its squares."
            ),
        )
        self.undo = PushButton(text="Undo", tooltip=tooltip("Restore the place of the layer."))
        self._line = Text()
        super().__init__(
            widgets=[
                labelled(self.moving),
                labelled(self.model),
                self.mirror,
                plain([self.auto, self.points], layout="horizontal"),
                plain([self.board, self.undo], layout="horizontal"),
                self._line,
            ],
            labels=False,
        )
        self.margins = (0, 0, 0, 0)
        self.undo.enabled = False
        self.auto.changed.connect(lambda _=None: self.register())
        self.points.changed.connect(lambda _=None: self.use_points())
        self.board.changed.connect(lambda _=None: self.show_checkerboard())
        self.undo.changed.connect(lambda _=None: self.put_back())
        self.moving.changed.connect(self._show_points)
        inputs.changed.connect(self.reset)
        self.reset()

    @property
    def line(self) -> str:
        """What is said about the last registration."""
        return str(self._line.value)

    @property
    def busy(self) -> bool:
        """Whether a registration is being computed."""
        return self._worker is not None

    def reset(self, *_: Any) -> None:
        """Offer the guides and further mixtures that are chosen."""
        chosen = [*self._inputs.chosen("guides"), *self._inputs.chosen("mixture")[1:]]
        layers = list(dict.fromkeys(layer for layer in chosen if layer is not None))
        self.moving.offer([Entry(layer.name, layer) for layer in layers], self.moving.value)
        self.enabled = bool(layers) and self._fixed() is not None
        self._show_points()

    def register(self) -> None:
        """Register automatically, on another thread."""
        self._start(None)

    def use_points(self) -> None:
        """Add two Points layers, one a turn of the event loop, or register by the points that were set."""
        fixed, moving = self._fixed(), self.moving.value
        if fixed is None or moving is None or not self.points.enabled:
            return
        if not self._has_points():
            in_turns(self._adding_points(moving, fixed))
            return
        on_moving, on_fixed = (in_pixels(points, image) for image, points in self._points.items())
        if not len(on_moving) or len(on_moving) != len(on_fixed):
            self._line.value = (
                f"Expected as many points on both layers, got {len(on_moving)} and {len(on_fixed)}."
            )
            return
        self._start((on_moving, on_fixed))

    def _has_points(self) -> bool:
        """Return True if the viewer has the layers for points on the two images that are chosen now."""
        there = all(points in self._viewer.layers for points in self._points.values())
        return list(self._points) == [self.moving.value, self._fixed()] and there

    def _show_points(self, *_: Any) -> None:
        self.points.text = "Use the points" if self._has_points() else "Set points"

    def _adding_points(self, moving: Any, fixed: Any) -> Iterator[None]:
        self.points.enabled = False
        points = {}
        for image, colour in ((moving, "#ffb000"), (fixed, "#00b0ff")):
            points[image] = layer = self._viewer.add_points(
                ndim=2,
                name=f"points on {image.name}",
                size=_brush(image),
                face_color=colour,
                units=image.units[-2:],
            )
            layer.mode = "add"
            yield
            if not isalive(self.native) or not is_open(self._viewer):
                return
        self._points, self.points.enabled = points, True
        self._show_points()
        self._line.value = (
            "Set points on the same details in the same order in both layers, then use the points."
        )

    def show_checkerboard(self) -> None:
        """Show the image and the layer that is moved in turns on a checkerboard."""
        fixed, moving = self._parts()
        if fixed is not None and moving is not None:
            try:
                self._board = show_checkerboard(self._viewer, moving, fixed, self._board)
            except ValueError as error:
                self._line.value = str(error)

    def put_back(self) -> None:
        """Undo the last registration."""
        if self._before is None:
            return
        layer, place = self._before
        self._before, self.undo.enabled = None, False
        if layer in self._viewer.layers:
            put_back(layer, place)
            self._line.value = f"{layer.name} is where it was."
            self._renew_board()
            self.placed.emit()

    def _start(self, points: tuple[NDArray, NDArray] | None) -> None:
        fixed, moving = self._parts()
        if fixed is None or moving is None or self.busy:
            return
        layer, mirrored = self.moving.value, bool(self.mirror.value)
        array = np.asarray(moving.array)
        width = array.shape[1]
        if mirrored:
            array = array[:, ::-1]
            if points is not None:
                points = (points[0] * [1, -1] + [0, width - 1], points[1])
        self._line.value = "Registering…"
        self.auto.enabled = self.points.enabled = False
        self._worker = create_worker(
            find_place,
            array,
            np.asarray(fixed.array),
            str(self.model.value),
            points,
            _connect={
                "returned": lambda found: self._on_found(
                    found, layer, moving, fixed, mirrored, points is None
                ),
                "errored": self._on_error,
                "finished": self._on_finished,
            },
        )

    def _on_found(
        self, found: Any, layer: Any, moving: Part, fixed: Part, mirrored: bool, judged: bool
    ) -> None:
        if not isalive(self.native) or layer not in self._viewer.layers:
            return
        matrix = found.matrix @ _mirror(found.moving_shape[1]) if mirrored else found.matrix
        if found.affine:
            self._before, self.undo.enabled = (layer, place_of(layer)), True
            put_onto(layer, fixed, matrix)
        else:
            whole = moving if not mirrored else _mirrored(moving)
            self._replace(layer, add_warped(self._viewer, whole, fixed, found))
        text = f"{layer.name} is in place."
        if judged:
            doubt = " It may be wrong: look at the checkerboard." if found.doubtful else ""
            text += f" Registration score {found.score:.1f}: {found.verdict}.{doubt}"
        self._line.value = text
        self._points = {}
        self._show_points()
        self._renew_board()
        self.placed.emit()

    def _on_error(self, error: Exception) -> None:
        if isalive(self.native):
            self._line.value = str(error)

    def _on_finished(self) -> None:
        self._worker = None
        if isalive(self.native):
            self.auto.enabled = self.points.enabled = True

    def _replace(self, old: Any, new: Any) -> None:
        """Choose a layer wherever another one is chosen."""
        for name in ("guides", "mixture"):
            chosen = self._inputs.chosen(name)
            if old in chosen:
                self._inputs.choose(name, [new if layer == old else layer for layer in chosen])
        self.reset()
        self.moving.choose(new)

    def _renew_board(self) -> None:
        if self._board is not None and self._board in self._viewer.layers:
            self.show_checkerboard()

    def _fixed(self) -> Any:
        return (self._inputs.chosen("mixture") or [None])[0]

    def _parts(self) -> tuple[Part | None, Part | None]:
        """One plane each of the image and of the layer that is moved, with all of Y and X."""
        fixed, moving = self._fixed(), self.moving.value
        if fixed is None or moving is None:
            return None, None
        try:
            return tuple(  # type: ignore[return-value]
                layer_part(layer, position=self._part.position(layer) if layer.ndim > 2 else None)
                for layer in (fixed, moving)
            )
        except ValueError as error:  # no slice is shown
            self._line.value = str(error)
            return None, None


def find_place(moving: NDArray, fixed: NDArray, model: str, points: tuple[NDArray, NDArray] | None) -> Any:
    """Register, on the worker's thread; errors of a GPU or of memory must not vanish as `RuntimeError`."""
    from napari_bitsnet.core.registration.register import register

    try:
        return register(moving, fixed, model=model, points=points)  # type: ignore[arg-type]
    except RuntimeError as error:
        message = str(error)
    raise ValueError(f"The registration failed: {message}")


def _mirror(width: int) -> NDArray:
    """Left to right, in pixels: x -> width - 1 - x."""
    return np.array([[1, 0, 0], [0, -1, width - 1], [0, 0, 1]], dtype=float)


def _mirrored(part: Part) -> Part:
    return replace(part, array=np.asarray(part.array)[:, ::-1])


def _brush(layer: Any) -> float:
    """Size of points that can be seen on an image, in its world."""
    return float(max(layer_shape(layer)[-2:]) * abs(layer.scale[-1]) / 60)
