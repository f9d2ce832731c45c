"""Outputs that say what they are: an array with its axes, kind, units and caption."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

Kind = Literal["source", "part", "image", "difference", "map", "labels", "values", "features"]
"""A source; the part of one that a guide explains; a whole image that is no source (cleaned, foreground); a
difference of images (residual, unexplained); a map on a scale of its own; labels; numbers that are no image;
feature maps of a network."""

Units = Literal["mixture", "density", "own"]
"""The mixture's own units, optical density, or a scale of the output's own, such as 0 to 1."""

Layer = Literal["front", "beneath", "hidden"]
"""How the viewer first shows an output: as soon as there is one, at the end and under the others, or at the
end and hidden."""

_OF_SOURCES = ("source", "part", "features")
_IN_UNITS = ("source", "part", "image", "difference")


@dataclass(frozen=True)
class OutputSpec:
    """What a task declares of one of its outputs, before any run.

    Parameters
    ----------
    name : str
        Key among the outputs. ``#`` stands for a number from 1: that of the source for sources, parts and
        features, else that of the mixture to which the output belongs, as in ``clean_#``.
    kind : str
        See `Kind`.
    caption : str
        A few words for people, ``#`` as in `name`.
    description : str
        One or two sentences: what the output shows and on which scale.
    axes : str
        One letter a dimension, for one plane: Y, X, C (channels), M (mixtures), K (sources). ``[C]`` is there
        for colour images only.
    layer : str
        See `Layer`.
    """

    name: str
    kind: Kind
    caption: str
    description: str = ""
    axes: str = "YX[C]"
    layer: Layer = "hidden"

    @property
    def of_mixture(self) -> bool:
        """Whether there is one for each of several mixtures."""
        return "#" in self.name and self.kind not in _OF_SOURCES


@dataclass(frozen=True, eq=False, repr=False)
class Output(NDArrayOperatorsMixin):
    """One output of a run. NumPy takes it as its array; attributes and methods that it lacks are those of the
    array.

    Parameters
    ----------
    array : array
        Images are float32 and NaN where pixels are missing; labels are integers and 0 there.
    axes : str
        One letter a dimension of `array`.
    kind, caption, description, layer
        As in `OutputSpec`, with numbers in place of ``#``.
    units : str
        See `Units`.
    of_source, of_mixture : int, optional
        Number, from 1, of the source or of the mixture to which the output belongs, if it belongs to one.
    """

    array: NDArray
    axes: str
    kind: Kind
    caption: str
    description: str = ""
    layer: Layer = "hidden"
    units: Units = "own"
    of_source: int | None = None
    of_mixture: int | None = None

    @property
    def is_image(self) -> bool:
        """Whether it has pixels: everything but values."""
        return self.kind != "values"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        return np.array(self.array, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*(getattr(i, "array", i) for i in inputs), **options)

    def __getitem__(self, place: Any) -> Any:
        return self.array[place]

    def __len__(self) -> int:
        return len(self.array)

    def __getattr__(self, name: str) -> Any:
        if (
            name.startswith("_") or name == "array"
        ):  # protocols of copying and pickling ask before there is an array
            raise AttributeError(name)
        return getattr(self.array, name)

    def __repr__(self) -> str:
        return f"Output({self.caption!r}, {self.kind}, {self.axes}, {self.dtype} {self.shape})"


FEATURES = OutputSpec(
    "features_#",
    "features",
    "Features of source #",
    "Feature maps of the network that generates this source.",
    "CYX",
)
"""What any method with networks may add to the outputs of a task."""


def describe(
    arrays: Mapping[str, NDArray], specs: Iterable[OutputSpec], units: Units = "mixture"
) -> dict[str, Output]:
    """Return arrays of one plane as outputs, with what a task declares of them.

    Parameters
    ----------
    arrays : mapping of str to array
        By the names of the outputs.
    specs : iterable of OutputSpec
        The declaration of each.
    units : str
        Units of sources, parts, whole images and differences.

    Raises
    ------
    ValueError
        If an output is not declared, or has another number of dimensions than its axes.
    """
    declared = {spec.name: spec for spec in specs}
    return {name: _described(name, array, declared, units) for name, array in arrays.items()}


def source_names(outputs: Mapping[str, Output]) -> list[str]:
    """Return the names of those outputs that are sources, in their order."""
    return [name for name, output in outputs.items() if output.kind == "source"]


def stack_sources(outputs: Mapping[str, Output]) -> NDArray:
    """Return all sources as one array (K, …)."""
    return np.stack([outputs[name].array for name in source_names(outputs)])


def numbered(arrays: Sequence[NDArray] | NDArray, prefix: str = "source") -> dict[str, NDArray]:
    """Return ``{"source_1": arrays[0], …}``."""
    return {f"{prefix}_{k + 1}": array for k, array in enumerate(arrays)}


def _described(name: str, array: NDArray, declared: Mapping[str, OutputSpec], units: Units) -> Output:
    found = re.fullmatch(r"(.*_)([0-9]+)", name)
    number = None if name in declared or found is None else int(found[2])
    spec = declared.get(name if number is None or found is None else f"{found[1]}#")
    if spec is None:
        raise ValueError(f"Expected an output that the task declares ({', '.join(declared)}), got {name!r}.")
    axes = spec.axes.replace("[C]", "C" if array.ndim == len(spec.axes) - 2 else "")
    if len(axes) != array.ndim:
        raise ValueError(f"Expected axes {spec.axes} for the output {name!r}, got shape {array.shape}.")
    return Output(
        array,
        axes,
        spec.kind,
        spec.caption.replace("#", str(number)),
        spec.description,
        spec.layer,
        units if spec.kind in _IN_UNITS else "own",
        of_source=None if spec.of_mixture else number,
        of_mixture=number if spec.of_mixture else None,
    )
