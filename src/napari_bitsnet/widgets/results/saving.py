"""A run's result written to a folder, as the command line writes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.export.saving import save_result
from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_file_calibration
from napari_bitsnet.widgets.layers.parts import Part
from napari_bitsnet.widgets.results.edits import as_shown
from napari_bitsnet.widgets.run.separation import Separation


class SaveOptions(Config):
    """How images are written; as ``--format`` and ``--depth``."""

    format: Literal["imagej", "ome"] = setting(
        "imagej", "Kind of the TIFFs: ImageJ's hyperstacks (imagej), or OME-TIFF (ome)."
    )
    depth: Literal["float", "input"] = setting(
        "float",
        "Numbers of the sources: 32 bits that keep every value (float), or integers like the image's, rounded and clipped (input).",
    )


def save_separation(
    separation: Separation, folder: str | Path, options: SaveOptions | None = None
) -> list[Path]:
    """Write the outputs as they are on the screen, as TIFF files, a preview, the record and a one-page report.

    Parameters
    ----------
    separation : Separation
        A run that has a result.
    folder : str or Path
        Made if it does not exist.
    options : SaveOptions, optional
        How images are written.

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
    return save_result(
        result.outputs,
        result.provenance,
        np.stack(arrays) if len(arrays) > 1 else arrays[0],
        check_writable(folder),
        file_stem(request.mixtures[0].name),
        calibration=calibration(request.mixtures[0]),
        inputs=request.files(),
        kind=options.format,
        depth=options.depth,
        report=True,
        guides=guides[::-1] if separation.edits.swapped and len(guides) == 2 else guides,
    )


def calibration(part: Part) -> Calibration | None:
    """Return how large a pixel is, and how far slices lie apart, from the layer's scale and units.

    Where these are pixels, the file that the layer was opened from may know it; napari does not ask it.
    """
    scale = [float(size) for size in part.geometry["scale"]]
    units = part.geometry.get("units")
    if units is None or f"{units[-1]:~}" in ("pixel", "px"):
        return _of_file(part)
    unit = units[-1]
    height = _in(unit, scale[-2], units[-2]) or scale[-2]
    is_stack = bool(part.stack_shape)
    return Calibration(
        (1 / scale[-1], 1 / height), f"{unit:~}", _in(unit, scale[-3], units[-3]) if is_stack else None
    )


def _in(unit: Any, size: float, own: Any) -> float | None:
    """A size in another unit; None where that is of another kind, as of times or pixels."""
    if own.dimensionality != unit.dimensionality:
        return None
    return float((size * own).to(unit).magnitude)


def _of_file(part: Part) -> Calibration | None:
    """What the file says, where the part has its pixels; None where there is none that can be read."""
    if not part.record["path"] or part.record["level"] or part.record["resampled"]:
        return None
    try:
        return read_file_calibration(part.record["path"])
    except (OSError, ValueError):
        return None


def file_stem(name: str) -> str:
    """Return a layer's name as the beginning of file names."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_.") or "mixture"
