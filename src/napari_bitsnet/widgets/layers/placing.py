"""Place layers onto another one, by the matrix of a registration or by warping, and read points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.registration.checkerboard import checkerboard
from napari_bitsnet.widgets.layers.alignment import align, to_world
from napari_bitsnet.widgets.layers.parts import METADATA_KEY, Part
from napari_bitsnet.widgets.layers.units import in_layer

if TYPE_CHECKING:
    from napari_bitsnet.core.registration.register import Registration

PLACE = ("scale", "translate", "rotate", "shear", "affine", "units")


def place_of(layer: Any) -> dict[str, Any]:
    """Return the transform of a layer, so that it can be restored."""
    return {**{name: getattr(layer, name) for name in PLACE}, "affine": layer.affine.affine_matrix.copy()}


def put_back(layer: Any, place: dict[str, Any]) -> None:
    """Restore the transform of a layer."""
    for name, value in place.items():
        setattr(layer, name, value)


def put_onto(layer: Any, fixed: Part, matrix: NDArray) -> None:
    """Move a layer so that its pixel p lies on pixel ``matrix @ (p, 1)`` of the fixed part.

    Parameters
    ----------
    layer : Layer
        Its scale, translation, rotation and shear are reset, and `affine` replaces them. Axes in front of Y
        and X keep theirs.
    fixed : Part
        All of Y and X of the layer that stays in place.
    matrix : array of shape (3, 3)
        In pixels, (y, x, 1).
    """
    linear, offset = to_world(fixed)
    n = layer.ndim
    affine = np.eye(n + 1)
    affine[: n - 2, : n - 2] = np.diag(np.asarray(layer.scale)[: n - 2])
    affine[: n - 2, -1] = np.asarray(layer.translate)[: n - 2]
    affine[n - 2 : n, n - 2 : n] = linear @ matrix[:2, :2]
    affine[n - 2 : n, -1] = linear @ matrix[:2, 2] + offset
    layer.scale, layer.translate = np.ones(n), np.zeros(n)
    layer.rotate, layer.shear = np.eye(n), np.zeros(n * (n - 1) // 2)
    layer.affine = affine
    units = fixed.geometry["units"]
    layer.units = (*layer.units[: n - 2], *units[-2:])


def in_pixels(points: Any, layer: Any) -> NDArray:
    """Return a Points layer's points, (N, 2), as (y, x) in pixels of an image layer."""
    places = [
        in_layer(np.asarray(points.data_to_world(point)), points.units, layer)[-2:]
        for point in np.asarray(points.data)
    ]
    return np.array(places).reshape(-1, 2)


def add_warped(viewer: Any, moving: Part, fixed: Part, found: Registration) -> Any:
    """Add the moving image, resampled onto the pixels of the fixed one, for transforms that are not affine.

    Pixels outside the moving image are transparent in integer colour images and NaN in grey ones: the run
    treats them as missing.
    """
    warped = found.as_guide(np.asarray(moving.array))
    if moving.rgb and not np.issubdtype(warped.dtype, np.integer):
        warped = np.nan_to_num(warped)
    ndim = 2
    geometry = {
        "scale": np.asarray(fixed.geometry["scale"])[-ndim:],
        "units": fixed.geometry["units"][-ndim:],
        "axis_labels": fixed.geometry["axis_labels"][-ndim:],
    }
    layer = viewer.add_image(
        warped, name=f"{moving.name} registered", rgb=moving.rgb, **geometry, **moving.look
    )
    put_onto(layer, fixed, np.eye(3))
    return layer


def show_checkerboard(viewer: Any, moving: Part, fixed: Part, layer: Any = None) -> Any:
    """Show a checkerboard of two images in a new or the given layer; return the layer."""
    board = checkerboard(np.asarray(fixed.array), np.asarray(align(moving, fixed).array))
    if layer is not None and layer in viewer.layers and layer.data.shape == board.shape:
        layer.data = board
        layer.visible = True
        return layer
    layer = viewer.add_image(
        board,
        name="checkerboard",
        rgb=True,
        units=fixed.geometry["units"][-2:],
        metadata={METADATA_KEY: {"output": "checkerboard"}},  # never proposed as an input
    )
    put_onto(layer, fixed, np.eye(3))
    return layer
