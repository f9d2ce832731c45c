"""Write lazily computed outputs as OME-Zarr, slice by slice, each slice computed once for all of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.export.names import record_path
from napari_bitsnet.api.export.overwriting import files_of
from napari_bitsnet.api.export.pixel_size import writable_calibration
from napari_bitsnet.api.export.space import SLACK, check_space, telling_what_is_missing
from napari_bitsnet.api.export.strict_json import strict_json
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.core.writing import remove, together
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
    inputs: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write images of a lazy run; see `LazyOutputs.to_zarr`.

    With `inputs`, the files that were read, the record of the run is written beside the images, as by
    `save_results`, and other files of an earlier run of this name are removed.
    """
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
        if inputs is not None:
            record = record_path(place, stem)
            earlier = files_of(record) or set()
            files.part(record.name).write_text(
                strict_json(
                    {
                        "complete": True,
                        **provenance,
                        "planes": 1,
                        "inputs": dict(inputs),
                        "files": {name: path.name for name, path in paths.items()},
                    },
                    indent=2,
                )
                + "\n",
                encoding="utf-8",
            )
    if inputs is not None:
        for name in earlier - {record.name, *(path.name for path in paths.values())}:
            remove(place / name)
    for text in notices:
        warnings.warn(text, stacklevel=3)  # at the line that called `to_zarr`
    return list(paths.values())
