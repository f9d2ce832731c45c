"""Outputs in the mixture's own integers: which can be, and how many pixels these cannot hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.outputs import Kind, Units
from napari_bitsnet.io.writers import WRITERS, FormatName

Depth = Literal["float", "input"]
EXACT = 2**24
"""Up to here float32, in which answers are computed, holds every whole number."""


def keeps_depth(kind: Kind, units: Units, dtype: np.dtype) -> bool:
    """Return whether an output is written in the mixture's type of integers, which whole images in its units
    are.

    Parameters
    ----------
    kind, units : str
        See `Output`. Densities, differences and maps stay float32: rounded, they would say nothing.
    dtype : dtype
        The mixture's.
    """
    return dtype.kind in "iu" and units == "mixture" and kind in ("source", "part", "image")


def check_depth(array: Any, kind: FormatName, stored: np.dtype | None = None) -> None:
    """See that a mixture's integers can be written.

    Parameters
    ----------
    array : array
        The mixture, of any type; those with fractions are written as float32.
    kind : str
        Format of the file.
    stored : dtype, optional
        Type in which the mixture is stored, where missing pixels made floats of it; default that of `array`.

    Raises
    ------
    ValueError
        If a file of this kind does not hold its type, or its values are larger than answers are exact for.
    """
    dtype = np.dtype(array.dtype) if stored is None else stored
    if dtype.kind not in "iu":
        return
    if dtype.name not in WRITERS.get(kind).integers:
        writers = {name: WRITERS.get(name) for name in WRITERS}
        holding = [name for name, each in writers.items() if dtype.name in each.integers and not each.extra]
        others = [f"format={other!r}" for other in holding]
        choices = " or ".join([*others, 'depth="float"'])
        raise ValueError(
            f'Expected an image of {", ".join(WRITERS.get(kind).integers)} for depth="input" with '
            f"format={kind!r}, got {dtype.name}: "
            f"choose {choices}."
        )
    if dtype.itemsize > 2:
        values = np.asarray(array)
        seen = values[np.isfinite(values)]
        largest = max(abs(int(seen.max())), abs(int(seen.min()))) if seen.size else 0
        if largest > EXACT:
            raise ValueError(
                f'Expected values of at most {EXACT} for depth="input", up to which answers are exact, '
                f"got {largest}: "
                'choose depth="float".'
            )


def as_integers(image: NDArray, dtype: np.dtype, axes: str) -> tuple[NDArray, int]:
    """Round and clip to a type of integers; NaN becomes 0. Return how many pixels were clipped as well."""
    limits = np.iinfo(dtype)
    whole = np.round(
        np.nan_to_num(np.asarray(image, dtype=np.float64))
    )  # float32 does not hold limits of 32 bits
    outside: NDArray = (whole < limits.min) | (whole > limits.max)
    if "C" in axes:
        outside = np.asarray(outside.any(axis=axes.index("C")))
    return np.clip(whole, limits.min, limits.max).astype(dtype), int(outside.sum())


def clipped(lost: Mapping[str, int], dtype: np.dtype) -> list[str]:
    """Say in which files how many pixels were clipped; empty if none was."""
    counts = [f"{n} {'pixel' if n == 1 else 'pixels'} of {name}" for name, n in lost.items() if n]
    if not counts:
        return []
    limits = np.iinfo(dtype)
    return [
        f"Clipped to {limits.min} … {limits.max}: {', '.join(counts)}. There the files no longer add up to "
        "the mixture; "
        'depth="float" keeps every value.'
    ]
