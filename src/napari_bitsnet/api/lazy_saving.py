"""Write lazily computed outputs as OME-Zarr, slice by slice, each slice computed once for all of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.export.pixel_size import writable_calibration
from napari_bitsnet.api.export.space import SLACK, check_space, telling_what_is_missing
from napari_bitsnet.api.export.strict_json import strict_json
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.core.writing import together
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.writers import known_axes


def save_lazily(
    outputs: Mapping[str, Output],
    provenance: Mapping[str, Any],
    folder: str | Path,
    stem: str,
    *,
    names: Sequence[str] | None,
    calibration: Calibration | None,
    overwrite: bool,
) -> list[Path]:
    """Write images of a lazy run; see `LazyOutputs.to_zarr`."""
    from napari_bitsnet.io.writers.zarr import OmeZarr

    images = {name: output for name, output in outputs.items() if output.is_image}
    chosen = list(images) if names is None else list(names)
    unknown = [name for name in chosen if name not in images]
    if unknown or not chosen:
        raise ValueError(
            f"Expected names of images ({', '.join(images)}), got {', '.join(unknown) or 'none'}."
        )
    place = check_writable(folder)
    paths = {name: place / f"{stem}_{name}.ome.zarr" for name in chosen}
    present = [path for path in paths.values() if path.exists()]
    if present and not overwrite:
        raise ValueError(
            f"Expected new images, got {present[0]}, which exists: choose another name, or overwrite=True."
        )
    calibration, notices = writable_calibration(calibration, "zarr")
    needed = sum(4 * int(np.prod(images[name].array.shape, dtype=np.int64)) for name in chosen)
    needed = needed * 4 // 3 + SLACK  # the smaller levels of the pyramids
    check_space(place, needed)
    with together(place) as files, telling_what_is_missing(files, needed):
        OmeZarr().write_together(
            [
                (
                    files.part(paths[name].name),
                    images[name].array,
                    known_axes(images[name].axes),
                    strict_json({**provenance, "output": name}),
                    images[name].kind == "labels",
                )
                for name in chosen
            ],
            calibration,
        )
    for text in notices:
        warnings.warn(text, stacklevel=3)  # at the line that called `to_zarr`
    return list(paths.values())
