"""Zarr of versions 2 and 3: OME-Zarr (OME-NGFF 0.1 to 0.5) and plain arrays, read piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_bitsnet.io.calibration import Calibration, from_sizes
from napari_bitsnet.io.errors import UnreadableFile, decoding, library
from napari_bitsnet.io.image_file import ImageFile, channels_doubt
from napari_bitsnet.io.readers import READERS, BaseReader
from napari_bitsnet.io.stack import in_order

_MARKS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_UNITS = {
    "picometer": "pm",
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "decimeter": "dm",
    "meter": "m",
    "kilometer": "km",
    "inch": "in",
    "foot": "ft",
}
"""Names of lengths in OME-NGFF, which are UDUNITS', and ours."""
_OLD_AXES = "TCZYX"  # of versions without names


@dataclass(frozen=True)
class _Pyramid:
    """One image: its levels from full size down, and what is said about them."""

    levels: tuple[Any, ...]
    about: Mapping[str, Any]


class Zarr(BaseReader):
    """See `Reader`."""

    title = "OME-Zarr"
    extra = "zarr"

    def recognises(self, path: Path, head: bytes) -> bool:
        """By the files in a folder that describe an array or a group."""
        return not head and any((path / mark).is_file() for mark in _MARKS)

    def read(self, path: Path) -> ImageFile:
        """Describe the first image; its pixels are read where they are looked at."""
        found = _pyramids(path)
        file = _as_image(found[0], path)
        if len(found) == 1:
            return file
        told = (
            f"{path.name} holds {len(found)} images, of which the first is read; choose another with series."
        )
        return replace(file, notices=(*file.notices, told))

    def read_series(self, path: Path, number: int) -> ImageFile:
        """Read one of the images of a collection."""
        found = _pyramids(path)
        if number >= len(found):
            raise UnreadableFile(
                f"a series from 0 to {len(found) - 1}", f"series {number} of {path}", "choose another"
            )
        return _as_image(found[number], path)

    def calibration(self, path: Path) -> Calibration | None:
        """From the transformation of the first level."""
        found = _pyramids(path)[0]
        return _pixel_size(found, _letters(found))


READERS.register("zarr")(Zarr())


class _Checked:
    """An array of a store whose damaged or missing pieces are named when they are read."""

    def __init__(self, array: Any, path: Path) -> None:
        self._array, self._path = array, path
        self.shape, self.dtype, self.ndim, self.chunks = array.shape, array.dtype, array.ndim, array.chunks

    def __getitem__(self, index: Any) -> Any:
        with decoding(self._path):
            return self._array[index]


def _pyramids(path: Path) -> list[_Pyramid]:
    """Return all images of a store; those of a collection (plate, series) in the order of their names.

    Raises
    ------
    UnreadableFile
        If there is none.
    """
    library("dask.array", "zarr", path)
    zarr = library("zarr", "zarr", path)
    with decoding(path):
        node = zarr.open(store=str(path), mode="r")
        found = _within(node, depth=2)
    if not found:
        raise UnreadableFile(
            "a store with an image", f"{path}, which holds none", "name the folder of an image in it"
        )
    return found


def _within(node: Any, depth: int) -> list[_Pyramid]:
    if not hasattr(node, "members"):
        return [_Pyramid((node,), {})]
    attributes = dict(node.attrs)
    described = attributes.get("ome", attributes)
    several = described.get("multiscales") if isinstance(described, Mapping) else None
    if several:
        return [_Pyramid(tuple(node[level["path"]] for level in one["datasets"]), one) for one in several]
    members = dict(node.members())
    names = [path.name for path in in_order(Path(name) for name in members if name not in ("OME", "labels"))]
    arrays = [name for name in names if not hasattr(members[name], "members")]
    if arrays:
        return [_Pyramid((members[name],), {}) for name in arrays]
    return [found for name in names if depth for found in _within(members[name], depth - 1)]


def _letters(found: _Pyramid) -> str | None:
    """One letter a dimension; None where the store does not name them."""
    full = found.levels[0]
    axes = found.about.get("axes")
    if found.about and not axes:
        axes = list(_OLD_AXES)[-full.ndim :]
    if not axes:
        axes = getattr(full.metadata, "dimension_names", None) or full.attrs.get("_ARRAY_DIMENSIONS") or ()
    named = [_letter(axis) for axis in axes]
    letters = "".join(named)
    clear = len(letters) == full.ndim == len(set(letters)) and {"Y", "X"} <= set(letters)
    return letters if clear else ("YX" if full.ndim == 2 else None)


def _letter(axis: Any) -> str:
    name, kind = (axis.get("name", ""), axis.get("type")) if isinstance(axis, Mapping) else (axis, None)
    return "C" if kind == "channel" else str(name or "")[:1].upper()


def _as_image(found: _Pyramid, path: Path) -> ImageFile:
    import dask.array

    letters = _letters(found)
    full = found.levels[0]
    if full.dtype.kind not in "biuf":
        raise UnreadableFile("an array of numbers", f"{path} of type {full.dtype}", "convert it")
    if full.ndim < 2 or 0 in full.shape:
        raise UnreadableFile("an image", f"{path} of shape {full.shape}", "name another array of the store")
    alone = tuple(k for k, a in enumerate(letters or "") if a not in "YX" and full.shape[k] == 1)
    levels = [
        dask.array.from_array(_Checked(level, path), chunks=level.chunks, name=False).squeeze(alone)
        for level in found.levels
    ]
    axes = None if letters is None else "".join(a for k, a in enumerate(letters) if k not in alone)
    n_channels = levels[0].shape[axes.index("C")] if axes and "C" in axes else 3
    return ImageFile(
        levels[0],
        axes,
        _pixel_size(found, letters),
        path,
        doubt=channels_doubt(path, levels[0].shape, n_channels, False),
        levels=tuple(levels[1:]),
    )


def _pixel_size(found: _Pyramid, letters: str | None) -> Calibration | None:
    """The scales of the first level and of the whole, in the units of the axes."""
    levels, axes = found.about.get("datasets") or (), found.about.get("axes") or ()
    if not levels or letters is None or len(axes) != len(letters):
        return None
    scale = np.ones(len(letters))
    for place in (levels[0], found.about):
        for step in place.get("coordinateTransformations") or ():
            if step.get("type") == "scale" and len(step.get("scale", ())) == len(letters):
                scale = scale * np.array(step["scale"], float)
    sizes = {
        letter: (float(size), _UNITS.get(axis.get("unit", ""), ""))
        for letter, size, axis in zip(letters, scale, axes, strict=True)
        if letter in "XYZ" and isinstance(axis, Mapping)
    }
    stack = "Z" in letters and found.levels[0].shape[letters.index("Z")] > 1
    return from_sizes({letter: size for letter, size in sizes.items() if letter != "Z" or stack})
