"""Areas drawn in a Shapes layer, as a mask on the mixture's pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.widgets.layers.alignment import plane_shape, to_world
from napari_bitsnet.widgets.layers.parts import Part
from napari_bitsnet.widgets.layers.units import factors

ELLIPSE_CORNERS = 90
"""An ellipse is filled as a polygon of this many corners."""


def shapes_part(shapes: Any, mixture: Part) -> Part:
    """Fill all shapes of a layer: 1 inside, 0 outside, on the pixels of the mixture's part.

    Parameters
    ----------
    shapes : Shapes
        Through its transforms its vertices lie in the same world as the mixture.
    mixture : Part
        Whose grid is wanted.
    """
    from skimage.draw import polygon2mask

    matrix, offset = to_world(mixture)
    size = plane_shape(mixture)
    unit = factors(shapes.units, mixture.geometry.get("units"), 2)
    inside = np.zeros(size, dtype=bool)
    for corners, kind in zip(shapes.data, shapes.shape_type, strict=True):
        outline = ellipse_outline(corners) if kind == "ellipse" else np.asarray(corners)
        world = np.array([shapes.data_to_world(point) for point in outline])[:, -2:] * unit
        inside |= polygon2mask(size, np.linalg.solve(matrix, (world - offset).T).T)
    record = {
        "name": shapes.name,
        "path": None,
        "shape": list(size),
        "dtype": "bool",
        "level": 0,
        "position": None,
        "box": None,
        "resampled": {"shapes": shapes.nshapes},
    }
    return replace(
        mixture, array=inside.astype(np.uint8), axes="YX", rgb=False, dropped=0, look={}, record=record
    )


def ellipse_outline(corners: NDArray) -> NDArray:
    """Return points (N, D) on the ellipse that fills a parallelogram given by its four corners in order."""
    corners = np.asarray(corners, dtype=float)
    middle, along, across = corners.mean(axis=0), (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, None]
    return middle + np.cos(angles) * along + np.sin(angles) * across
