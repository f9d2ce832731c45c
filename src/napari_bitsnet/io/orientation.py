"""EXIF orientation: images that are stored turned or mirrored are read as they are shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FLIPPED = {2: "X", 3: "YX", 4: "Y", 6: "X", 7: "YX", 8: "Y"}  # after the transposition of 5 to 8


def upright(array: NDArray, axes: str, orientation: int) -> NDArray:
    """Return the image as it is shown.

    Parameters
    ----------
    array : ndarray
        Rows along Y and columns along X of `axes`; the letters keep their places.
    axes : str
        One letter a dimension.
    orientation : int
        Value of TIFF's tag 274, 1 to 8: where the stored first row and column lie.
    """
    rows, columns = axes.index("Y"), axes.index("X")
    if is_transposed(orientation):
        array = np.swapaxes(array, rows, columns)
    for axis in _FLIPPED.get(orientation, ""):
        array = np.flip(array, axes.index(axis))
    return np.ascontiguousarray(array)


def is_transposed(orientation: int) -> bool:
    """Whether rows become columns."""
    return orientation in (5, 6, 7, 8)


def orientation_notice(name: str, orientation: int) -> str:
    """Say that the rows of the array are not those of the file."""
    turn = {3: "turned by 180 degrees", 6: "turned clockwise", 8: "turned anticlockwise"}
    done = turn.get(orientation, "mirrored" if orientation in (2, 4) else "mirrored and turned")
    return f"{name} is stored in another orientation (EXIF {orientation}); it is read as it is shown, {done}."


def valid_orientation(value: object) -> int:
    """Return an orientation from 1 to 8; 1, upright, for what is none."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
