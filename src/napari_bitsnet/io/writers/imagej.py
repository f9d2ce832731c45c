"""TIFF as an ImageJ hyperstack, or a plain TIFF where that does not hold the axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.writers import WRITERS, in_order

_ORDER = "TZCYX"  # ImageJ knows no float32 with colours last


class ImageJ:
    """See `Writer`; other axes than T, Z, C, Y and X go into a plain TIFF with its axes in tifffile's
    description."""

    title = "ImageJ TIFF"
    suffixes = (".tif", ".tiff")
    extra = ""
    integers = ("uint8", "uint16", "int16")
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
        """Write it with the record in ImageJ's Info."""
        import tifffile

        is_imagej = set(axes) <= set(_ORDER)
        if is_imagej:
            image, axes = in_order(image, axes, _ORDER, self.title)
        metadata: dict[str, Any] = {"axes": axes}
        options: dict[str, Any] = {}
        if calibration is not None:
            options = {"resolution": calibration.per_unit, "resolutionunit": calibration.resolution_unit}
            if is_imagej:
                metadata |= calibration.imagej_metadata()
        if is_imagej and "C" in axes:
            metadata["mode"] = "composite"
        if record is not None:
            metadata["Info" if is_imagej else "record"] = record
        tifffile.imwrite(
            path,
            image,
            imagej=is_imagej,
            photometric="minisblack",
            metadata=metadata,
            software="napari-bitsnet",
            **options,
        )


WRITERS.register("imagej")(ImageJ())
