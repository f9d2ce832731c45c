"""A run's result written to a folder, as the command line writes it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from napari_bitsnet.api.saving import check_writable, save_result
from napari_bitsnet.data.calibration import Calibration
from napari_bitsnet.widgets.layers import Part
from napari_bitsnet.widgets.separation import Separation


def save_separation(separation: Separation, folder: str | Path) -> list[Path]:
    """Write the outputs as TIFF files, a preview, the record and a one-page report.

    Parameters
    ----------
    separation : Separation
        A run that has a result.
    folder : str or Path
        Made if it does not exist.

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
    request = separation.request
    arrays = [np.asarray(part.array) for part in request.mixtures]
    return save_result(
        separation.result.choose(separation.candidate),
        np.stack(arrays) if len(arrays) > 1 else arrays[0],
        check_writable(folder),
        file_stem(request.mixtures[0].name),
        calibration=calibration(request.mixtures[0]),
        inputs=request.files(),
        report=True,
        guides=[None if part is None else np.asarray(part.array) for part in request.guides],
    )


def calibration(part: Part) -> Calibration | None:
    """Return how large a pixel is, from the layer's scale and units; None where it has no unit."""
    unit = f"{part.geometry['units'][-1]:~}" if part.geometry.get("units") is not None else "pixel"
    if unit in ("pixel", "px"):
        return None
    height, width = (float(size) for size in part.geometry["scale"][-2:])
    return Calibration((1 / width, 1 / height), unit)


def file_stem(name: str) -> str:
    """Return a layer's name as the beginning of file names."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_.") or "mixture"
