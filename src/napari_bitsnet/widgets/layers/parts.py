"""Convert layers to arrays and outputs to layers: the part that a run works on, and the place of its outputs.

A run copies everything that it needs from the layers at its start. No napari object is therefore used outside
the main thread, and later changes of the layers do not affect the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Layer

METADATA_KEY = "napari-bitsnet"
"""Key of the provenance record in the metadata of a result layer."""

STACK_LETTERS = "WVUSRQONLKJIHGFEDBAPTZ"
"""Names of stack axes, the last one next to Y; Y, X, C and M have a meaning of their own."""


@dataclass(frozen=True)
class Part:
    """Part of a layer: one resolution level and a slice along each axis.

    Parameters
    ----------
    array : array-like
        Pixels of the part; lazily computed arrays stay lazy.
    axes : str
        One letter for each dimension of `array`.
    rgb : bool
        Whether the last axis has the colour channels.
    dropped : int
        Number of leading axes from which one position was taken. Outputs get these axes back.
    geometry : dict
        Keyword arguments (scale, translate, rotate, …) that place outputs of this part over the layer.
    look : dict
        Keyword arguments (colormap, gamma, interpolation) that give outputs the appearance of the layer.
    record : dict
        Origin of the pixels, as JSON.
    """

    array: Any
    axes: str
    rgb: bool
    dropped: int
    geometry: dict[str, Any]
    look: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the layer."""
        return str(self.record["name"])

    @property
    def is_file(self) -> bool:
        """Return True if the part has all pixels of a file, unchanged."""
        taken = any(self.record[key] for key in ("level", "position", "box", "resampled"))
        return bool(self.record["path"]) and not taken

    @property
    def unit(self) -> float:
        """Return the value of full brightness in colour images, which napari shows on the scale 0 to 1."""
        integer = self.rgb and np.issubdtype(self.array.dtype, np.integer)
        return float(np.iinfo(self.array.dtype).max) if integer else 1.0

    @property
    def stack_shape(self) -> tuple[int, ...]:
        """Return the shape along the axes in front of Y and X."""
        return tuple(self.array.shape[: len(self.axes) - 2 - self.rgb])

    def to_layer_data(self, output: NDArray) -> NDArray:
        """Return an output of this part as the data of a layer with this part's `geometry`."""
        data = output if self.unit == 1.0 else output / np.float32(self.unit)
        return data.reshape((1,) * self.dropped + data.shape)


def layer_part(
    layer: Layer, *, level: int = 0, position: Sequence[int] | None = None, box: Sequence[slice] | None = None
) -> Part:
    """Take a part of a layer.

    Parameters
    ----------
    layer : Image or Labels
        The layer; its last two axes (before colours) are Y and X.
    level : int
        Level of a multiscale layer, 0 = full resolution.
    position : sequence of int, optional
        One index for each axis in front of Y and X: the current slice; all slices if not given.
    box : two slices, optional
        Region along Y and X in pixels of the level; everything if not given.
    """
    data = level_data(layer, level)
    rgb, ndim = bool(getattr(layer, "rgb", False)), layer.ndim
    taken = [slice(None)] * (ndim - 2) if position is None else [slice(p, p + 1) for p in position]
    slices = (*taken, *(box or (slice(None), slice(None))))
    origin = np.array([part.start or 0 for part in slices], dtype=float)
    dropped = 0 if position is None else ndim - 2
    array = data[slices] if dropped == 0 else data[(*position, *slices[-2:])]  # type: ignore[misc]
    if isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.copy()
    letters = STACK_LETTERS[len(STACK_LETTERS) - (ndim - 2 - dropped) :]
    factor = _level_factor(layer, level)
    return Part(
        array=array,
        axes=letters + "YX" + "C" * rgb,
        rgb=rgb,
        dropped=dropped,
        geometry=_geometry(layer, origin, factor),
        look=_look(layer),
        record={
            "name": layer.name,
            "path": str(layer.source.path) if layer.source.path else None,
            "shape": [int(n) for n in data.shape],
            "dtype": str(data.dtype),
            "level": level,
            "position": None if position is None else [int(p) for p in position],
            "box": None if box is None else [[int(s.start or 0), int(s.stop)] for s in box],
            "resampled": None,
        },
    )


def level_data(layer: Layer, level: int = 0) -> Any:
    """Return the data of a resolution level; layers with one resolution have level 0 only."""
    return layer.data[level] if getattr(layer, "multiscale", False) else layer.data


def layer_shape(layer: Layer, level: int = 0) -> tuple[int, ...]:
    """Return the shape of a level's data without colours."""
    return tuple(int(n) for n in level_data(layer, level).shape[: layer.ndim])


def describe(layer: Layer) -> str:
    """Return ``"1024 × 768 RGB uint8, 0.05 mm/px"``: width first."""
    if hasattr(layer, "nshapes"):
        return f"{layer.nshapes} shape{'' if layer.nshapes == 1 else 's'}"
    *stack, height, width = layer_shape(layer)
    words = [f"{width} × {height}"]
    if stack:
        words.append(f"× {' × '.join(map(str, stack))} slices")
    if getattr(layer, "rgb", False):
        words.append("RGB")
    words.append(str(level_data(layer).dtype))
    if getattr(layer, "multiscale", False):
        words.append(f"({len(layer.data)} levels)")
    unit = f"{layer.units[-1]:~}" if hasattr(layer, "units") else "pixel"
    size = "" if unit in ("pixel", "px") and layer.scale[-1] == 1 else f", {layer.scale[-1]:.4g} {unit}/px"
    return " ".join(words) + size


def _level_factor(layer: Layer, level: int) -> NDArray:
    """Return the size of a level's pixels in pixels of the full resolution, along each axis."""
    if not getattr(layer, "multiscale", False):
        return np.ones(layer.ndim)
    pairs = zip(layer_shape(layer), layer_shape(layer, level), strict=True)
    return np.array([round(full / own) for full, own in pairs], dtype=float)


def _geometry(layer: Layer, origin: NDArray, factor: NDArray) -> dict[str, Any]:
    """Return keyword arguments that place pixel (0, 0) of a part at pixel `origin` of the layer's level.

    Pixel i of level k covers the full-resolution pixels f*i … f*i + f - 1, whose centre is f*i + (f - 1) / 2.
    The translation acts before `affine`, so the shift is undone through its linear part.
    """
    start = factor * origin + (factor - 1) / 2
    moved = np.subtract(layer.data_to_world(start), layer.data_to_world(np.zeros(layer.ndim)))
    affine = np.asarray(layer.affine.affine_matrix)
    shift = np.linalg.solve(affine[:-1, :-1], moved)
    geometry = {
        "scale": np.asarray(layer.scale) * factor,
        "translate": np.asarray(layer.translate) + shift,
        "rotate": np.asarray(layer.rotate),
        "shear": np.asarray(layer.shear),
        "affine": affine,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }
    return geometry


def _look(layer: Layer) -> dict[str, Any]:
    """Return colormap, gamma and interpolation; colour images have no colormap."""
    if not hasattr(layer, "gamma") or getattr(layer, "rgb", False):
        return {}
    return {
        "colormap": layer.colormap,
        "gamma": layer.gamma,
        "interpolation2d": layer.interpolation2d,
    }
