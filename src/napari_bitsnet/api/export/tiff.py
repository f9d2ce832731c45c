"""One image as a TIFF: an ImageJ hyperstack, OME-TIFF, or a plain TIFF where neither holds its axes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.export.strict_json import strict_json
from napari_bitsnet.io.calibration import Calibration

TiffKind = Literal["imagej", "ome"]
INTEGERS: dict[TiffKind, tuple[str, ...]] = {
    "imagej": ("uint8", "uint16", "int16"),
    "ome": ("uint8", "uint16", "uint32", "int8", "int16", "int32"),
}
"""Types of whole numbers that each kind of file holds."""
SUFFIXES: dict[TiffKind, str] = {"imagej": ".tif", "ome": ".ome.tif"}
_IMAGEJ_ORDER, _OME_ORDER = "TZCYX", "TCZYX"


def write_tiff(
    path: Path | IO[bytes],
    image: NDArray,
    axes: str,
    calibration: Calibration | None = None,
    *,
    kind: TiffKind = "imagej",
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write one image as a TIFF that ImageJ or readers of OME-TIFF understand.

    Parameters
    ----------
    path : Path or binary file
        Where to.
    image : array
        Any layout; integers that the kind of file holds stay (see `INTEGERS`), all else becomes float32.
    axes : str
        One letter a dimension. Letters other than T, Z, C, Y, X take the place of Z or T where these are free; where they
        are not, ``"imagej"`` writes a plain TIFF with its axes in tifffile's description.
    calibration : Calibration, optional
        How large a pixel is.
    kind : {"imagej", "ome"}
        Whose metadata.
    record : mapping, optional
        Provenance, kept as JSON in ImageJ's Info or OME's Description.

    Raises
    ------
    ValueError
        If OME-TIFF has not as many axes.
    """
    image = np.asarray(image)
    if image.dtype.name not in INTEGERS[kind]:
        image = image.astype(np.float32, copy=False)
    text = None if record is None else strict_json(record)
    write = _write_ome if kind == "ome" else _write_imagej
    write(path, image, known_axes(axes), calibration, text)


def known_axes(axes: str) -> str:
    """Return axes with letters that TIFF files do not know in the place of Z or T, where these are free."""
    letters = list(axes)
    for place, letter in enumerate(letters):
        if letter not in _OME_ORDER:
            letters[place] = next((free for free in "ZT" if free not in letters), letter)
    return "".join(letters)


def _write_imagej(
    path: Path | IO[bytes], image: NDArray, axes: str, calibration: Calibration | None, text: str | None
) -> None:
    """ImageJ's hyperstacks have the order T, Z, C, Y, X: it knows no float32 with colours last."""
    import tifffile

    is_imagej = set(axes) <= set(_IMAGEJ_ORDER)
    if is_imagej:
        image, axes = _in_order(image, axes, _IMAGEJ_ORDER)
    metadata: dict[str, Any] = {"axes": axes}
    options: dict[str, Any] = {}
    if calibration is not None:
        options = {"resolution": calibration.per_unit, "resolutionunit": calibration.resolution_unit}
        if is_imagej:
            metadata |= calibration.imagej_metadata()
    if is_imagej and "C" in axes:
        metadata["mode"] = "composite"
    if text is not None:
        metadata["Info" if is_imagej else "record"] = text
    tifffile.imwrite(
        path,
        image,
        imagej=is_imagej,
        photometric="minisblack",
        metadata=metadata,
        software="napari-bitsnet",
        **options,
    )


def _write_ome(
    path: Path | IO[bytes], image: NDArray, axes: str, calibration: Calibration | None, text: str | None
) -> None:
    import tifffile

    if not set(axes) <= set(_OME_ORDER):
        raise ValueError(
            f"Expected at most the axes T, C, Z, Y and X for OME-TIFF, got {axes}: write format='imagej'."
        )
    image, axes = _in_order(image, axes, _OME_ORDER)
    metadata: dict[str, Any] = {"axes": axes}
    options: dict[str, Any] = {}
    if calibration is not None:
        metadata |= calibration.ome_metadata()
        options = {"resolution": calibration.per_unit, "resolutionunit": calibration.resolution_unit}
    if text is not None:
        metadata["Description"] = text
    tifffile.imwrite(
        path,
        image,
        ome=True,
        photometric="minisblack",
        metadata=metadata,
        software="napari-bitsnet",
        **options,
    )


def _in_order(image: NDArray, axes: str, order: str) -> tuple[NDArray, str]:
    places = sorted(range(len(axes)), key=lambda place: order.index(axes[place]))
    return image.transpose(places), "".join(axes[place] for place in places)
