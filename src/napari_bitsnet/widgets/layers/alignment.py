"""Resample further inputs onto the pixels of the mixture, through the transforms of the layers.

A layer that has a transform (scale, translate, rotate, shear or affine) is read at its place in the world. A
layer without one is assumed to cover the same view as the mixture: for a region of the mixture the same
region is taken; otherwise the task fits its size, as it does without a viewer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from napari.utils.transforms import CompositeAffine
from numpy.typing import NDArray

from napari_bitsnet.core.resampling import resample_affine
from napari_bitsnet.tasks.xray import SAME_ASPECT
from napari_bitsnet.widgets.layers.parts import Part
from napari_bitsnet.widgets.layers.units import factors


def align(part: Part, mixture: Part, *, labels: bool = False) -> Part:
    """Return `part` on the pixels of `mixture`.

    Parameters
    ----------
    part : Part
        All of a layer's Y and X, with or without a stack.
    mixture : Part
        Part that defines the pixel grid.
    labels : bool
        Whether values are labels, which must not be interpolated.

    Raises
    ------
    ValueError
        If a region is needed from a layer without a transform that has another aspect ratio.
    """
    if not is_placed(part) and mixture.record["box"] is None:
        return part
    matrix, offset = _map(part, mixture)
    shape = plane_shape(mixture)
    if np.allclose(matrix, np.eye(2)) and np.allclose(offset, 0, atol=1e-6) and shape == plane_shape(part):
        return part
    flat = np.asarray(part.array).reshape(-1, *part.array.shape[len(part.stack_shape) :])
    planes = np.stack([resample_affine(plane, matrix, offset, shape, labels=labels) for plane in flat])
    array = planes.reshape(*part.stack_shape, *planes.shape[1:])
    record = {**part.record, "resampled": {"matrix": matrix.tolist(), "offset": offset.tolist()}}
    return replace(part, array=array, geometry=mixture.geometry, record=record)


def plane_shape(part: Part) -> tuple[int, int]:
    """Return height and width in pixels."""
    y = len(part.stack_shape)
    return int(part.array.shape[y]), int(part.array.shape[y + 1])


def is_placed(part: Part) -> bool:
    """Return True if the layer has a transform, from the user or from its file."""
    matrix, offset = to_world(part)
    return not (np.allclose(matrix, np.eye(2)) and np.allclose(offset, 0))


def _map(part: Part, mixture: Part) -> tuple[NDArray, NDArray]:
    """Return the matrix and the offset that map pixels (y, x) of the mixture to pixels of the part."""
    if is_placed(part):
        mine, mine_offset = to_world(part)
        other, other_offset = to_world(mixture)
        unit = factors(part.geometry.get("units"), mixture.geometry.get("units"), 2)
        mine, mine_offset = unit[:, None] * mine, unit * mine_offset
        return np.linalg.solve(mine, other), np.linalg.solve(mine, other_offset - mine_offset)
    whole = np.array(mixture.record["shape"][-3:-1] if mixture.rgb else mixture.record["shape"][-2:], float)
    corner = np.array([start for start, _ in mixture.record["box"] or [[0, 0], [0, 0]]], float)
    ratio = np.array(plane_shape(part)) / whole
    if abs(ratio[0] / ratio[1] - 1) > SAME_ASPECT:
        raise ValueError(
            f"Expected {part.name} to have the aspect ratio of the image, {whole[1]:.0f} × {whole[0]:.0f}, "
            f"got {plane_shape(part)[1]} × {plane_shape(part)[0]}: place it (scale, translate, rotate, "
            "affine) or crop it."
        )
    # pixel i covers i - 1/2 to i + 1/2: borders fall on borders
    return np.diag(ratio), (corner + 0.5) * ratio - 0.5


def to_world(part: Part) -> tuple[NDArray, NDArray]:
    """Return the matrix and the offset that map pixels (y, x) to the last two world axes, in the units of the
    part."""
    geometry = part.geometry
    own = CompositeAffine(
        scale=geometry["scale"],
        translate=geometry["translate"],
        rotate=geometry["rotate"],
        shear=geometry["shear"],
    )
    affine = np.asarray(geometry["affine"])
    matrix = affine[:-1, :-1] @ own.linear_matrix
    offset = affine[:-1, :-1] @ np.asarray(own.translate) + affine[:-1, -1]
    return matrix[-2:, -2:], offset[-2:]
