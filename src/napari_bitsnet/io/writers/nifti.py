"""NIfTI-1, with the affine of the NIfTI file that was read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.errors import library
from napari_bitsnet.io.writers import WRITERS, in_order

_ORDER = "CTZYX"  # in reverse: X comes first in NIfTI, and channels take the place of vectors
_IN_UNIT = {"mm": (1.0, "mm"), "micron": (1.0, "micron"), "µm": (1.0, "micron"), "nm": (1e-3, "micron")}
_IN_UNIT |= {"cm": (10.0, "mm"), "m": (1e3, "mm"), "inch": (25.4, "mm"), "in": (25.4, "mm")}
_RGB_VECTOR = 2003
_COMMENT = 6  # NIfTI's code of an extension that holds text
_LEVEL = 1
"""Of gzip: higher ones take far longer and gain little on floating numbers."""


class Nifti:
    """See `Writer`."""

    title = "NIfTI"
    suffixes = (".nii.gz", ".nii")
    extra = "nifti"
    integers = ("uint8", "uint16", "uint32", "int8", "int16", "int32")
    is_folder = False

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
        """Write it with X as the first dimension, channels as the fifth, and the record as a comment."""
        nibabel = library("nibabel", self.extra, path)
        image, axes = in_order(np.asarray(image), axes, _ORDER, self.title)
        whole = image.reshape([image.shape[axes.index(a)] if a in axes else 1 for a in _ORDER])
        n_dims = max(5 - _ORDER.index(a) for a in axes)
        volume = whole.T.reshape(whole.T.shape[:n_dims])
        factor, unit = _IN_UNIT.get(calibration.unit, (1.0, "unknown")) if calibration else (1.0, "unknown")
        made = nibabel.Nifti1Image(volume, _affine(calibration, factor), dtype=volume.dtype)
        made.header.set_xyzt_units(unit)
        if "C" in axes and image.shape[axes.index("C")] == 3:
            made.header.set_intent(_RGB_VECTOR)
        if record is not None:
            made.header.extensions.append(nibabel.nifti1.Nifti1Extension(_COMMENT, record.encode()))
        with path.open("wb") as file:
            if suffix.endswith(".gz"):
                with gzip.GzipFile(
                    fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0, filename=""
                ) as packed:
                    made.to_stream(packed)
            else:
                made.to_stream(file)


WRITERS.register("nifti")(Nifti())


def _affine(calibration: Calibration | None, factor: float) -> NDArray:
    """The affine that was read, or one with the sizes of a pixel only."""
    if calibration is None:
        return np.eye(4)
    if calibration.affine is not None:
        return np.array(calibration.affine)
    x, y = calibration.per_unit
    return np.diag([factor / x, factor / y, factor * (calibration.z_step or 1.0), 1.0])
