"""Places of two layers in one unit: napari draws layers in mm and in µm on one scale, so what compares their places must, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def factors(own: Sequence[Any] | None, wanted: Sequence[Any] | None, ndim: int) -> NDArray:
    """Return what coordinates in some units are multiplied by to be in other ones.

    Parameters
    ----------
    own, wanted : sequence of pint.Unit, or None
        One an axis, the last axes belong together; None where nothing is known.
    ndim : int
        Number of axes, counted from the last one.

    Returns
    -------
    ndarray of shape (ndim,)
        1 where an axis is missing, or where there is no ratio (pixels and millimetres): napari, too, draws such layers by their
        numbers as they are.
    """
    found = np.ones(ndim)
    for axis in range(1, ndim + 1):
        if own is not None and wanted is not None and axis <= min(len(own), len(wanted)):
            found[-axis] = _ratio(own[-axis], wanted[-axis]) or 1.0
    return found


def units_remark(layer: Any, other: Any) -> str:
    """Say that the places of two layers were compared by their numbers, where there is no ratio between their units; else empty."""
    if not (hasattr(layer, "nshapes") or _says_where(layer)):
        return ""
    for a, b in zip(layer.units[-2:], other.units[-2:], strict=True):
        if _ratio(a, b) is None:
            return (
                f"{layer.name} lies on axes in {a}, {other.name} in {b}, between which there is no ratio: their numbers were "
                "compared as they are. Set the units of one of them (layer.units) if that is not what you mean."
            )
    return ""


def _says_where(layer: Any) -> bool:
    """Whether a layer's transform along Y and X is any other than none."""
    corner, far = (np.asarray(layer.data_to_world(np.full(layer.ndim, at)))[-2:] for at in (0.0, 1.0))
    return bool((corner != 0).any() or (far != 1).any())


def _ratio(own: Any, wanted: Any) -> float | None:
    """How many of the wanted unit one of the own unit is; None if they are of different kinds."""
    if own == wanted:
        return 1.0
    if own.dimensionality != wanted.dimensionality:
        return None
    return float((1 * own).to(wanted).magnitude)


def in_layer(position: NDArray, units: Sequence[Any] | None, layer: Any) -> NDArray:
    """Return the pixel of a layer at a position in the world that is given in other units.

    Parameters
    ----------
    position : ndarray of shape (D,)
        In the world; if it is shorter than the layer's number of axes, the first ones are 0.
    units : sequence of pint.Unit, or None
        Of the position, one an axis.
    layer : Layer
        With its own units.
    """
    world = np.zeros(layer.ndim)
    last = min(layer.ndim, len(position))
    world[layer.ndim - last :] = np.asarray(position)[len(position) - last :]
    return np.asarray(layer.world_to_data(world * factors(units, layer.units, layer.ndim)))
