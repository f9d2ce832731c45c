"""Write the result of a run to a folder, in the same way as the command line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.export.saving import save_results
from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_file_calibration
from napari_bitsnet.io.writers import format_type
from napari_bitsnet.widgets.layers.parts import Part
from napari_bitsnet.widgets.results.edits import as_shown
from napari_bitsnet.widgets.run.separation import Separation


class SaveOptions(Config):
    """Options for saving images, as ``--format`` and ``--depth``."""

    format: format_type() = setting(  # type: ignore[valid-type]
        "imagej",
        "Format of the images: ImageJ's hyperstacks (imagej), OME-TIFF (ome), NIfTI (nifti) or OME-Zarr "
        "(zarr).",
    )
    depth: Literal["float", "input"] = setting(
        "float",
        "Numbers of the sources: 32 bits that keep every value (float), or integers like the image's, "
        "rounded and clipped (input).",
    )


def save_separation(
    separation: Separation, folder: str | Path, options: SaveOptions | None = None
) -> list[Path]:
    """Write the outputs as shown on the screen: TIFF files, a preview, the record and a report.

    Parameters
    ----------
    separation : Separation
        Run with a result.
    folder : str or Path
        Folder, which is created if it does not exist.
    options : SaveOptions, optional
        Options for images.

    Returns
    -------
    list of Path
        The files, the record last.

    Raises
    ------
    ValueError
        If there is no result, or the folder cannot be written to.
    """
    if separation.result is None:
        raise ValueError("Expected a finished run to save, got none: run first.")
    request, options = separation.request, options or SaveOptions()
    arrays = [np.asarray(part.array) for part in request.mixtures]
    guides = [None if part is None else np.asarray(part.array) for part in request.guides]
    result = as_shown(separation.result, separation.edits)
    return save_results(
        {file_stem(request.mixtures[0].name): (result.outputs, result.provenance)},
        np.stack(arrays) if len(arrays) > 1 else arrays[0],
        check_writable(folder),
        calibration=calibration(request.mixtures[0]),
        inputs=request.files(),
        kind=options.format,
        depth=options.depth,
        report=True,
        guides=guides[::-1] if separation.edits.swapped and len(guides) == 2 else guides,
    )


def calibration(part: Part) -> Calibration | None:
    """Return the pixel size and the spacing of slices, from the scale and units of the layer.

    If the units are pixels, the file of the layer is read, because napari does not take the pixel size from
    it.
    """
    scale = [float(size) for size in part.geometry["scale"]]
    units = part.geometry.get("units")
    if units is None or f"{units[-1]:~}" in ("pixel", "px"):
        return _of_file(part)
    unit = units[-1]
    height = _in(unit, scale[-2], units[-2]) or scale[-2]
    is_stack = bool(part.stack_shape)
    found = Calibration(
        (1 / scale[-1], 1 / height), f"{unit:~}", _in(unit, scale[-3], units[-3]) if is_stack else None
    )
    stored = _of_file(part)
    if stored is None or stored.affine is None or not np.allclose(stored.per_unit, found.per_unit):
        return found
    return replace(found, affine=stored.affine)  # of NIfTI files, for NIfTI files


def _in(unit: Any, size: float, own: Any) -> float | None:
    """Return a size in another unit; None if that unit measures something else (times, pixels)."""
    if own.dimensionality != unit.dimensionality:
        return None
    return float((size * own).to(unit).magnitude)


def _of_file(part: Part) -> Calibration | None:
    """Return the calibration of the file if the part has its pixels; None if there is no readable file."""
    if not part.record["path"] or part.record["level"] or part.record["resampled"]:
        return None
    try:
        return read_file_calibration(part.record["path"])
    except (OSError, ValueError):
        return None


def file_stem(name: str) -> str:
    """Return the name of a layer as the beginning of file names."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_.") or "mixture"
