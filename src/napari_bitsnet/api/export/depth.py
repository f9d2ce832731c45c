"""Outputs in the mixture's own integers, and how many pixels these cannot hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.result import Result


def keeps_depth(name: str, dtype: np.dtype, result: Result) -> bool:
    """Whether an output can be written in the mixture's type: sources and explained parts, where that is of integers."""
    options = result.provenance["task_settings"]
    density = options.get("mixing") == "attenuation" and options.get("output") == "density"
    return dtype in (np.uint8, np.uint16) and not density and name.startswith(("source_", "explained_"))


def as_integers(image: NDArray, dtype: np.dtype, axes: str) -> tuple[NDArray, int]:
    """Round and clip to a type of integers; NaN becomes 0. Return how many pixels were clipped as well."""
    limits = np.iinfo(dtype)
    whole = np.round(np.nan_to_num(image))
    outside = (whole < limits.min) | (whole > limits.max)
    if "C" in axes:
        outside = outside.any(axis=axes.index("C"))
    return np.clip(whole, limits.min, limits.max).astype(dtype), int(outside.sum())


def clipped(lost: Mapping[str, int], dtype: np.dtype) -> list[str]:
    """Say in which files how many pixels were clipped; empty if none was."""
    counts = [f"{n} {'pixel' if n == 1 else 'pixels'} of {name}" for name, n in lost.items() if n]
    if not counts:
        return []
    limits = np.iinfo(dtype)
    return [
        f"Clipped to {limits.min} … {limits.max}: {', '.join(counts)}. There the files no longer add up to the mixture; "
        'depth="float" keeps every value.'
    ]
