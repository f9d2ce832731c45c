"""The pixel size that files can hold; another one is left out, and that is said."""

from __future__ import annotations

import math
from dataclasses import replace

from napari_bitsnet.api.export.writing import try_writing
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.writers import FormatName

_RATIONAL = 2.0**32
"""TIFF holds pixels per unit as a ratio of two whole numbers below this."""


def writable_calibration(
    calibration: Calibration | None, kind: FormatName
) -> tuple[Calibration | None, list[str]]:
    """Return what of a calibration can be written, and what has to be said about the rest.

    Parameters
    ----------
    calibration : Calibration or None
        As a file or a layer has it: sizes may be zero, negative or not finite, and units any text.
    kind : str
        Format of the files.

    Returns
    -------
    Calibration or None
        None where there is none that can be written.
    list of str
        Notices; empty where all of it can.
    """
    if calibration is None:
        return None, []
    advice = "is left out of the files: correct it there, and give it to the file that was read."
    if not all(_is_size(n) and 1 / _RATIONAL < n < _RATIONAL for n in calibration.per_unit):
        sizes = " x ".join(f"{n:g}" for n in calibration.per_unit)
        return None, [
            f"Expected a pixel size that is a finite number above 0, got {sizes} pixels per "
            f"{calibration.unit or 'unit'}; it {advice}"
        ]
    notices = []
    if calibration.z_step is not None and not _is_size(calibration.z_step):
        notices.append(
            "Expected a distance between slices that is a finite number above 0, got "
            f"{calibration.z_step:g}; it {advice}"
        )
        calibration = replace(calibration, z_step=None)
    try:
        try_writing("YX", calibration, format=kind)
    except Exception as error:  # whatever the text of a unit does to the writer must not cost the result
        return None, [
            *notices,
            f"Expected a pixel size that the files can hold, got {calibration} ({error}); it {advice}",
        ]
    return calibration, notices


def _is_size(number: float) -> bool:
    return math.isfinite(number) and number > 0
