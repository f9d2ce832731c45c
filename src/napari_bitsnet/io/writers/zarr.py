"""OME-Zarr (OME-NGFF 0.5): a pyramid in zarr 3, written chunk by chunk."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.errors import library
from napari_bitsnet.io.writers import WRITERS, in_order

if TYPE_CHECKING:
    import zarr

_ORDER = "TCZYX"
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_UNITS = {
    "micron": "micrometer",
    "µm": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "cm": "centimeter",
}
_UNITS |= {
    "m": "meter",
    "km": "kilometer",
    "inch": "inch",
    "in": "inch",
    "ft": "foot",
    "Å": "angstrom",
    "pm": "picometer",
}
SIDE = 512
"""Of a chunk, in pixels; the smallest level of a pyramid has one chunk."""


class OmeZarr:
    """See `Writer`."""

    title = "OME-Zarr"
    suffixes = (".ome.zarr", ".zarr")
    extra = "zarr"
    integers = ("uint8", "uint16", "uint32", "int8", "int16", "int32")
    is_folder = True

    def write(
        self,
        path: Path,
        image: NDArray,
        axes: str,
        calibration: Calibration | None,
        *,
        record: str | None,
        labels: bool,
        suffix: str,
    ) -> None:
        """Write the pyramid with the record among its attributes; no more than a few chunks are held at a
        time."""
        self.write_together([(path, image, axes, record, labels)], calibration)

    def write_together(
        self, images: Sequence[tuple[Path, Any, str, str | None, bool]], calibration: Calibration | None
    ) -> None:
        """Write several images as `write` does; what dask arrays among them have in common is computed once.

        Parameters
        ----------
        images : sequence of (path, image, axes, record, labels)
            As in `write`.
        calibration : Calibration or None
            How large a pixel is.
        """
        groups, arrays = [], []
        for path, image, axes, _, _ in images:
            group = library("zarr", self.extra, path).open_group(str(path), mode="w", zarr_format=3)
            image, axes = in_order(image, axes, _ORDER, self.title)
            arrays.append((image, create_level(group, 0, image.shape, image.dtype, axes)))
            groups.append((group, axes))
        store(arrays)
        for (group, axes), (_, _, _, record, labels) in zip(groups, images, strict=True):
            n_levels = add_levels(group, axes, labels=labels)
            about = {"multiscales": [multiscale(axes, calibration, n_levels)], "version": "0.5"}
            group.attrs.update(
                {"ome": about} | ({} if record is None else {"napari-bitsnet": json.loads(record)})
            )


WRITERS.register("zarr")(OmeZarr())


def create_level(
    group: zarr.Group, number: int, shape: Sequence[int], dtype: np.dtype, axes: str
) -> zarr.Array:
    """Make the array of one level of a pyramid, without any chunk; pixels that are never written are 0."""
    chunks = tuple(min(SIDE, n) if a in "YX" else 1 for a, n in zip(axes, shape, strict=True))
    return group.create_array(
        str(number), shape=tuple(shape), chunks=chunks, dtype=dtype, dimension_names=list(axes.lower())
    )


def store(images: Sequence[tuple[Any, zarr.Array]]) -> None:
    """Write images chunk by chunk; dask arrays piece by piece, all of them in one computation."""
    pieces, targets = [], []
    for image, level in images:
        if hasattr(image, "dask"):
            sizes = [
                -(-max(given) // own) * own for given, own in zip(image.chunks, level.chunks, strict=True)
            ]
            pieces.append(
                image.rechunk(tuple(sizes))
            )  # of whole chunks, so that no two write to the same one
            targets.append(level)
            continue
        for place in _blocks(level):
            level[place] = np.asarray(image[place])
    if pieces:
        import dask.array

        dask.array.store(pieces, targets, lock=False)  # type: ignore[arg-type]


def add_levels(group: zarr.Group, axes: str, *, labels: bool = False) -> int:
    """Add smaller copies of level 0, each of half the size, down to one chunk; return the number of levels.

    Parameters
    ----------
    group : zarr.Group
        With level ``"0"``.
    axes : str
        Of its array.
    labels : bool
        Whether every second pixel is taken, in place of the mean of the valid ones of 2 x 2.
    """
    full: Any = group["0"]
    number = 0
    while max(full.shape[axes.index(a)] for a in "YX") > SIDE:
        number += 1
        shape = [-(-n // 2) if a in "YX" else n for a, n in zip(axes, full.shape, strict=True)]
        half = create_level(group, number, shape, full.dtype, axes)
        for place in _blocks(half):
            source = tuple(
                slice(2 * part.start, 2 * part.stop) if a in "YX" else part
                for a, part in zip(axes, place, strict=True)
            )
            block = np.asarray(full[source])  # cut at the border
            half[place] = block[..., ::2, ::2] if labels else _halved(block)
        full = half
    return number + 1


def multiscale(axes: str, calibration: Calibration | None, n_levels: int) -> dict[str, Any]:
    """Return the description of a pyramid: axes with units, and scale and shift of every level."""
    unit = None if calibration is None else _UNITS.get(calibration.unit)
    sizes = (
        {} if calibration is None else {"X": 1 / calibration.per_unit[0], "Y": 1 / calibration.per_unit[1]}
    )
    if calibration is not None and calibration.z_step is not None:
        sizes["Z"] = calibration.z_step
    described = [
        {"name": a.lower(), "type": _TYPES[a]} | ({"unit": unit} if unit and a in sizes else {}) for a in axes
    ]
    levels = []
    for level in range(n_levels):
        factor = 2**level
        scale = [float(sizes.get(a, 1.0) * (factor if a in "YX" else 1)) for a in axes]
        # a pixel's centre lies between those of the pixels that it is the mean of
        shift = [float(sizes.get(a, 1.0) * (factor - 1) / 2) if a in "YX" else 0.0 for a in axes]
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if level:
            steps.append({"type": "translation", "translation": shift})
        levels.append({"path": str(level), "coordinateTransformations": steps})
    return {"axes": described, "datasets": levels, "type": "mean"}


def _blocks(level: zarr.Array) -> Iterator[tuple[slice, ...]]:
    """The places of all chunks."""
    starts = [range(0, n, step) for n, step in zip(level.shape, level.chunks, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(
            slice(at, min(at + step, n))
            for at, step, n in zip(corner, level.chunks, level.shape, strict=True)
        )


def _halved(block: NDArray) -> NDArray:
    """Means over 2 x 2 pixels of the last two axes, of those that are not NaN; at an odd border over
    fewer."""
    *_, height, width = block.shape
    rows, columns = np.arange(0, height, 2), np.arange(0, width, 2)
    valid = ~np.isnan(block) if block.dtype.kind == "f" else np.ones(block.shape, bool)

    def total(values: NDArray) -> NDArray:
        return np.add.reduceat(np.add.reduceat(values, rows, axis=-2), columns, axis=-1)

    sums, counts = total(np.where(valid, block, 0).astype(np.float64)), total(valid.astype(np.float64))
    with np.errstate(invalid="ignore"):
        means = sums / counts
    return (means if block.dtype.kind == "f" else np.rint(means)).astype(block.dtype)
