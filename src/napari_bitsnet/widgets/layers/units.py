"""Compare the places of two layers in one unit, because napari draws layers in mm and in µm on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def factors(own: Sequence[Any] | None, wanted: Sequence[Any] | None, ndim: int) -> NDArray:
    """Return the factors that convert coordinates from one set of units to another.

    Parameters
    ----------
    own, wanted : sequence of pint.Unit, or None
        One unit for each axis, aligned at the last axis; None if unknown.
    ndim : int
        Number of axes, counted from the last one.

    Returns
    -------
    ndarray of shape (ndim,)
        1 for a missing axis, or if the units have no ratio (pixels and millimetres): napari draws such layers
        by their numbers.
    """
    found = np.ones(ndim)
    for axis in range(1, ndim + 1):
        if own is not None and wanted is not None and axis <= min(len(own), len(wanted)):
            found[-axis] = _ratio(own[-axis], wanted[-axis]) or 1.0
    return found


def units_remark(layer: Any, other: Any) -> str:
    """Return a warning if the units of two layers have no ratio, so that their numbers were compared; else an
    empty text."""
    if not (hasattr(layer, "nshapes") or _says_where(layer)):
        return ""
    for a, b in zip(layer.units[-2:], other.units[-2:], strict=True):
        if _ratio(a, b) is None:
            return (
                f"{layer.name} lies on axes in {a}, {other.name} in {b}, between which there is no ratio: "
                "their numbers were compared as they are. Set the units of one of them (layer.units) if that "
                "is not what you mean."
            )
    return ""


def _says_where(layer: Any) -> bool:
    """Return True if the transform of a layer along Y and X is not the identity."""
    corner, far = (np.asarray(layer.data_to_world(np.full(layer.ndim, at)))[-2:] for at in (0.0, 1.0))
    return bool((corner != 0).any() or (far != 1).any())


def _ratio(own: Any, wanted: Any) -> float | None:
    """Return the factor from one unit to the other; None if they measure different quantities."""
    if own == wanted:
        return 1.0
    if own.dimensionality != wanted.dimensionality:
        return None
    return float((1 * own).to(wanted).magnitude)


def in_layer(position: NDArray, units: Sequence[Any] | None, layer: Any) -> NDArray:
    """Return the pixel of a layer at a world position in other units.

    Parameters
    ----------
    position : ndarray of shape (D,)
        World coordinates; missing leading axes are 0.
    units : sequence of pint.Unit, or None
        Units of the position, one for each axis.
    layer : Layer
        Layer, which has units of its own.
    """
    world = np.zeros(layer.ndim)
    last = min(layer.ndim, len(position))
    world[layer.ndim - last :] = np.asarray(position)[len(position) - last :]
    return np.asarray(layer.world_to_data(world * factors(units, layer.units, layer.ndim)))
