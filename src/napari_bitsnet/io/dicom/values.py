"""What a DICOM file's pixels mean: rescaled values, colours, the size of a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration, is_length, number_of

if TYPE_CHECKING:
    from pydicom import Dataset

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
"""Distance between rows and between columns in mm: in the object first, then on the detector."""
_RESCALING = "PixelValueTransformationSequence"


def rescaled(stored: NDArray, header: Dataset) -> NDArray:
    """Return values in the units of the modality (Hounsfield units, …); the window, which is for displays, is
    left out.

    Parameters
    ----------
    stored : ndarray
        As decoded; frames first where there are several.
    header : Dataset
        Its slope and intercept, or table, of all frames or of each.

    Returns
    -------
    ndarray
        As stored without slope and intercept; integers where these are whole numbers, else float64.
    """
    from pydicom.pixels import apply_modality_lut

    if "ModalityLUTSequence" in header:
        return np.asarray(apply_modality_lut(stored, header))
    lines = _lines(header)
    if not lines or all(line == (1.0, 0.0) for line in lines):
        return stored
    several = len(lines) > 1 and len(lines) == len(stored)
    shape = (-1, *[1] * (stored.ndim - 1)) if several else ()
    slope, intercept = (
        np.array([line[k] for line in lines[: len(stored) if several else 1]]) for k in (0, 1)
    )
    slope, intercept = slope.reshape(shape), intercept.reshape(shape)
    low, high = stored_range(header)
    whole = stored.dtype.kind in "iu" and np.all(slope % 1 == 0) and np.all(intercept % 1 == 0)
    values = stored.astype(np.float64) * slope + intercept
    if not whole:
        return values
    ends = [end * slope + intercept for end in (low, high)]
    kind = np.result_type(*(np.min_scalar_type(int(limit(ends))) for limit in (np.min, np.max)))
    return values.astype(kind)


def stored_range(header: Dataset) -> tuple[int, int]:
    """Return the smallest and the largest value that the stored bits hold."""
    bits = int(number_of(header.get("BitsStored")) or 16)
    signed = int(number_of(header.get("PixelRepresentation")))
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def pixel_size(header: Dataset) -> Calibration | None:
    """Return the calibration that a header states, in mm; None where it does not."""
    measures = _group(header, "PixelMeasuresSequence")
    spacing = next(
        (found for place in (measures, header) for name in _SPACINGS if (found := place.get(name))), None
    )
    if spacing is None or len(spacing) != 2:
        return None
    rows, columns = map(number_of, spacing)
    if not (is_length(rows) and is_length(columns)):
        return None
    step = number_of(measures.get("SpacingBetweenSlices") or header.get("SpacingBetweenSlices"))
    frames = number_of(header.get("NumberOfFrames")) > 1
    return Calibration((1 / columns, 1 / rows), "mm", abs(step) if frames and is_length(abs(step)) else None)


def _lines(header: Dataset) -> list[tuple[float, float]]:
    """Slope and intercept of all frames, or of each; empty where there are none."""
    frames = [item for item in header.get("PerFrameFunctionalGroupsSequence", ()) if _RESCALING in item]
    if frames:
        return [_line(item[_RESCALING].value[0]) for item in frames]
    own = _group(header, _RESCALING)
    return [
        _line(place) for place in (own, header) if "RescaleSlope" in place or "RescaleIntercept" in place
    ][:1]


def _line(place: Any) -> tuple[float, float]:
    return float(place.get("RescaleSlope", 1) or 1), float(place.get("RescaleIntercept", 0) or 0)


def _group(header: Dataset, name: str) -> Any:
    """A functional group that all frames share; without one an empty place."""
    for item in header.get("SharedFunctionalGroupsSequence", ()):
        if name in item and item[name].value:
            return item[name].value[0]
    return {}
