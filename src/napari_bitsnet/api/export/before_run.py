"""All that saving needs and that is known once the images are read, seen to before the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_bitsnet.api.choose import make_task
from napari_bitsnet.api.export.depth import Depth, check_depth, keeps_depth
from napari_bitsnet.api.export.space import check_space
from napari_bitsnet.api.export.writing import try_writing
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.io.writers import FormatName


def check_before_run(
    settings: RunSettings,
    planes: Planes,
    folder: Path,
    *,
    kind: FormatName = "imagej",
    depth: Depth = "float",
    stored: np.dtype | None = None,
) -> None:
    """See that the outputs of a run can be written.

    Parameters
    ----------
    settings : RunSettings
        Of the run.
    planes : Planes
        Its mixture.
    folder : Path
        Where outputs go; must exist.
    kind, depth
        As in `save_results`.
    stored : dtype, optional
        Type of the mixture's file, where missing pixels made floats of its integers.

    Raises
    ------
    ValueError
        If the kind of file does not hold the mixture's axes, or its integers where these are asked for.
    NoSpaceError
        If the disk does not even hold the sources.
    """
    task = make_task(settings)
    dtype = planes.stored if stored is None else stored
    if depth == "input" and any(keeps_depth(spec.kind, task.units, dtype) for spec in task.output_specs):
        check_depth(planes.array, kind, dtype)
    axes = planes.axes.replace("M", "")
    try_writing(axes, format=kind)
    sizes = {letter: planes.array.shape[planes.axes.index(letter)] for letter in axes}
    if sizes.get("C") == 4:
        sizes["C"] = 3  # opacity is not part of the outputs
    itemsize = dtype.itemsize if depth == "input" else 4
    n_sources = getattr(task.config, "n_sources", 1)
    check_space(folder, n_sources * itemsize * int(np.prod(list(sizes.values()), dtype=np.int64)))
