"""Read an array with declared axes as a sequence of planes, and put outputs back into its layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.arrays import as_array
from napari_bitsnet.core.images import plane_axes
from napari_bitsnet.core.outputs import Output


class Planes:
    """Planes (Y, X[, C]), or (M, Y, X[, C]) of several mixtures, along the remaining axes of an array.

    Only the requested plane is read, so lazily computed arrays (dask, zarr) stay lazy. ``stored`` is the type
    of the given array; `array` is float if integers have missing pixels.

    Parameters
    ----------
    array : array-like
        Array with `axes`; for several mixtures a list of arrays or an array with an axis M.
    axes : str or None
        One letter for each dimension; a missing M is added in front for several mixtures.
    several : bool
        Whether the array holds several mixtures.
    single : bool
        With `several`, whether one mixture without an axis M is accepted.
    labels : bool
        Whether the array has labels or a mask; see `as_array`.
    what : str
        Name of the array in error messages.

    Raises
    ------
    ValueError
        If axes and shape do not fit, or are ambiguous.
    """

    def __init__(
        self,
        array: Any,
        axes: str | None = None,
        *,
        several: bool = False,
        single: bool = False,
        labels: bool = False,
        what: str = "the image",
    ) -> None:
        self._labels, self._what = labels, what
        stored = getattr(array, "dtype", None)
        if isinstance(array, str | Path):
            raise TypeError(
                "Expected an array, got a file name: read it first, for example "
                f"tifffile.imread({str(array)!r})."
            )
        if isinstance(array, Sequence):
            types = [a.dtype for a in array if isinstance(getattr(a, "dtype", None), np.dtype)]
            stored = np.result_type(*types) if len(types) == len(array) > 0 else None
            array = [as_array(a, what, labels=labels) for a in array]
            shapes = {a.shape for a in array}
            if len(shapes) > 1:
                raise ValueError(
                    f"Expected images of one shape, got {sorted(shapes)}: crop or register them so that they "
                    "show the same area, all in colour or all grey."
                )
            array = np.stack(array) if array else np.empty(0)
        self.array = array if _is_lazy(array) else as_array(array, what, labels=labels)
        self.stored: np.dtype = stored if isinstance(stored, np.dtype) else self.array.dtype
        shape = tuple(self.array.shape)
        if several and single and _is_one_image(shape, axes):
            self.array, axes = self.array[None], None if axes is None else f"M{axes}"
            shape = (1, *shape)
        if several and (axes is None or "M" not in axes.upper()):
            if len(shape) < 3:
                raise ValueError(f"Expected several mixtures (M, Y, X[, C]), got shape {shape}.")
            self.axes = "M" + plane_axes(shape[1:], axes)
        else:
            self.axes = plane_axes(shape, axes)
        thin = [a for a in "YX" if shape[self.axes.index(a)] in (3, 4) and len(shape) > 2]
        if thin:
            raise ValueError(
                f"Expected images, got {shape[self.axes.index(thin[0])]} pixels along {thin[0]} with "
                f"axes={self.axes!r} for shape {shape}: colour channels are C, for example axes='YXC'."
            )
        self._plane_axes = [a for a in "MYXC" if a in self.axes]
        self.stack_axes = [a for a in self.axes if a not in self._plane_axes]
        self.stack_shape = tuple(shape[self.axes.index(a)] for a in self.stack_axes)

    def __len__(self) -> int:
        return math.prod(self.stack_shape)

    def __getitem__(self, index: int) -> NDArray:
        """Return plane `index` as an array with axes in the order M, Y, X, C."""
        return self.reading(self.array[self.place(index)])

    def place(self, index: int) -> tuple[int | slice, ...]:
        """Return the place of plane `index` in the array."""
        place = dict(zip(self.stack_axes, map(int, np.unravel_index(index, self.stack_shape)), strict=True))
        return tuple(place.get(a, slice(None)) for a in self.axes)

    @property
    def reading(self) -> PlaneReading:
        """Return how a part of the array becomes a plane."""
        left = [a for a in self.axes if a in self._plane_axes]
        return PlaneReading(tuple(left.index(a) for a in self._plane_axes), self._what, self._labels)

    def match(self, other: Any, what: str, *, labels: bool = False) -> Planes | None:
        """Return `other` as planes of the same stack; it has the same stack axes, or is one plane for all.

        Raises
        ------
        TypeError, ValueError
            If it is not an array, or fits neither the stack nor a plane.
        """
        if other is None:
            return None
        if isinstance(other, str | Path):
            raise TypeError(f"Expected an array for {what}, got a file name: read it first.")
        other = other if _is_lazy(other) else as_array(other, what, labels=labels)
        shape, own = tuple(other.shape), tuple(self.array.shape)
        spatial = tuple(a for a in self.axes if a in "YX" or a in self.stack_axes)
        expected = tuple(own[self.axes.index(a)] for a in spatial)
        if self.stack_axes and shape[: len(spatial)] == expected:
            axes = "".join(spatial) + ("C" if len(shape) == len(spatial) + 1 else "")
            if len(axes) == len(shape):
                return Planes(other, axes, labels=labels, what=what)
        if len(shape) in (2, 3):
            return Planes(other, "YX" if len(shape) == 2 else "YXC", labels=labels, what=what)
        raise ValueError(f"Expected {what} as one plane or a stack like the mixture {own}, got {shape}.")

    def plane_of(self, other: Planes | None, index: int) -> NDArray | None:
        """Return the plane of `other` that belongs to plane `index` of this stack."""
        return None if other is None else other[other.of(index)]

    def of(self, index: int) -> int:
        """Return which of these planes belongs to plane `index` of a run: the only one belongs to all."""
        return index if len(self) > 1 else 0

    def assemble(self, planes: Sequence[Output | None]) -> Output:
        """Stack the planes of one output in the layout of the input; failed planes (None) become NaN, or 0
        for labels.

        Images have the order of axes of the input. Feature maps, which have channels of their own, and values
        follow the axes of the stack.
        """
        known = next(p for p in planes if p is not None)
        filled = [missing_plane(known.array) if p is None else p.array for p in planes]
        stacked = np.stack(filled).reshape(*self.stack_shape, *known.shape)
        axes = "".join([*self.stack_axes, *known.axes])
        if known.kind in ("features", "values") or not set(known.axes) <= set(self.axes):
            return replace(known, array=stacked, axes=axes)
        ordered = "".join(a for a in self.axes if a in axes)
        return replace(known, array=stacked.transpose([axes.index(a) for a in ordered]), axes=ordered)


@dataclass(frozen=True)
class PlaneReading:
    """Reads the part of an array at a `Planes.place` as a plane; it does not hold the array.

    Parameters
    ----------
    order : tuple of int
        Axes of the part, in the order of the plane's.
    what, labels
        As in `Planes`.
    """

    order: tuple[int, ...]
    what: str
    labels: bool

    def __call__(self, part: Any) -> NDArray:
        """Return the plane as an array with axes in the order M, Y, X, C."""
        return as_array(part, self.what, labels=self.labels).transpose(self.order)


def _is_lazy(array: Any) -> bool:
    """Return True if an array is computed or read on access: it has a shape and a type, and is not in memory
    or a tensor."""
    known = hasattr(array, "shape") and hasattr(array, "dtype") and hasattr(array, "__getitem__")
    return known and not isinstance(array, np.ndarray) and not hasattr(array, "detach")


def missing_plane(known: NDArray) -> NDArray:
    """Return an unknown plane like another one: NaN, or 0 for labels."""
    return np.full(known.shape, 0 if np.issubdtype(known.dtype, np.integer) else np.nan, known.dtype)


def _is_one_image(shape: tuple[int, ...], axes: str | None) -> bool:
    """Return True for one image: by its axes, or by the shape (Y, X) or (Y, X, 3 or 4) without axes."""
    if axes is not None:
        return len(axes) == len(shape) and "M" not in axes.upper()
    return len(shape) == 2 or (len(shape) == 3 and shape[-1] in (3, 4))
