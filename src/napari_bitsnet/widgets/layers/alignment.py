"""Further inputs brought onto the mixture's pixels, through the layers' transforms.

A layer that has been placed (scale, translate, rotate, shear or affine) is read where it lies in the world. One
that has not is taken to show all of what the mixture shows: of a region of the mixture it gives the same region,
and otherwise the task fits it, as it does without a viewer.
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
        Whose grid is wanted.
    labels : bool
        Whether values are names that must not be mixed.

    Raises
    ------
    ValueError
        If a region is asked of a layer that has not been placed and has another aspect ratio.
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
    """Height and width in pixels."""
    y = len(part.stack_shape)
    return int(part.array.shape[y]), int(part.array.shape[y + 1])


def is_placed(part: Part) -> bool:
    """Whether someone, or the file, has said where the layer lies."""
    matrix, offset = to_world(part)
    return not (np.allclose(matrix, np.eye(2)) and np.allclose(offset, 0))


def _map(part: Part, mixture: Part) -> tuple[NDArray, NDArray]:
    """Matrix and offset that take the mixture's pixels (y, x) to the part's."""
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
            f"Expected {part.name} to have the aspect ratio of the image, {whole[1]:.0f} × {whole[0]:.0f}, got "
            f"{plane_shape(part)[1]} × {plane_shape(part)[0]}: place it (scale, translate, rotate, affine) or crop it."
        )
    # pixel i covers i - 1/2 to i + 1/2: borders fall on borders
    return np.diag(ratio), (corner + 0.5) * ratio - 0.5


def to_world(part: Part) -> tuple[NDArray, NDArray]:
    """Matrix and offset that take pixels (y, x) to the last two axes of the world, in the part's own units."""
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
