"""Convert the areas of a Shapes layer to a mask on the pixels of the mixture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.widgets.layers.alignment import plane_shape, to_world
from napari_bitsnet.widgets.layers.parts import Part
from napari_bitsnet.widgets.layers.units import factors

ELLIPSE_CORNERS = 90
"""Number of corners of the polygon that stands for an ellipse."""


def shapes_part(shapes: Any, mixture: Part) -> Part:
    """Return a mask of all shapes of a layer on the pixels of the mixture: 1 inside, 0 outside.

    Parameters
    ----------
    shapes : Shapes
        Layer whose transforms place the vertices in the world of the mixture.
    mixture : Part
        Part that defines the pixel grid.
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
