"""OME-TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.writers import WRITERS, in_order

_ORDER = "TCZYX"


class OmeTiff:
    """See `Writer`."""

    title = "OME-TIFF"
    suffixes = (".ome.tif", ".ome.tiff")
    extra = ""
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
        """Write it with the record in OME's Description."""
        import tifffile

        image, axes = in_order(image, axes, _ORDER, self.title)
        metadata: dict[str, Any] = {"axes": axes}
        options: dict[str, Any] = {}
        if calibration is not None:
            metadata |= calibration.ome_metadata()
            options = {"resolution": calibration.per_unit, "resolutionunit": calibration.resolution_unit}
        if record is not None:
            metadata["Description"] = record
        tifffile.imwrite(
            path,
            image,
            ome=True,
            photometric="minisblack",
            metadata=metadata,
            software="napari-bitsnet",
            **options,
        )


WRITERS.register("ome")(OmeTiff())
