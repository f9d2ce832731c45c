"""Separate the slices of a stack when they are read: outputs as dask arrays."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.choose import make_task
from napari_bitsnet.api.lazy_saving import save_lazily
from napari_bitsnet.api.notices import plane_notices, warn
from napari_bitsnet.api.planes import missing_plane
from napari_bitsnet.api.portable import Portable
from napari_bitsnet.api.provenance import record_provenance
from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.signatures import spelled_out
from napari_bitsnet.api.slices import Parts, Work, blocks_of, separate_block, solve
from napari_bitsnet.core.device import resolve_device
from napari_bitsnet.core.notices import LEFT_OUT, Notice
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.io.calibration import Calibration


class LazyOutputs(dict[str, Any]):
    """Outputs by name, as dask arrays, with the record and warnings of the middle slice.

    Attributes
    ----------
    provenance : dict
        As `Result.provenance`, of the middle slice. Versions, settings, device and I0 are those of all
        slices; iterations, seconds and losses are those of the middle slice.
    warnings : tuple of str
        Warnings of the middle slice.
    """

    def __init__(
        self, outputs: Mapping[str, Output], provenance: dict[str, Any], warnings: tuple[str, ...]
    ) -> None:
        super().__init__({name: output.array for name, output in outputs.items()})
        self.provenance, self.warnings, self._described = provenance, warnings, dict(outputs)

    def to_zarr(
        self,
        folder: str | Path,
        stem: str,
        *,
        names: Sequence[str] | None = None,
        calibration: Calibration | None = None,
        overwrite: bool = False,
        inputs: Mapping[str, Any] | None = None,
    ) -> list[Path]:
        """Compute images slice by slice, each slice once for all of them, and write them as OME-Zarr.

        Parameters
        ----------
        folder : str or Path
            Created if it does not exist. Workers of a cluster write to it directly, so that all have to see
            it.
        stem : str
            Beginning of the names: ``<stem>_source_1.ome.zarr``.
        names : sequence of str, optional
            Outputs that are written; default all images.
        calibration : Calibration, optional
            Pixel size.
        overwrite : bool
            Whether images that are there are replaced.
        inputs : mapping, optional
            Paths of the files that were read, as in `Result.save`: the record of the run is then written as
            ``<stem>_run.json``.

        Returns
        -------
        list of Path
            The images, with the record inside. They take their names when all are complete.

        Raises
        ------
        ImportError, ValueError
            If zarr is missing, a name is unknown, the output is no image, or an image is there.
        """
        return save_lazily(
            self._described,
            self.provenance,
            folder,
            stem,
            names=names,
            calibration=calibration,
            overwrite=overwrite,
            inputs=inputs,
        )


@spelled_out
def run_lazily(
    task: str,
    mixture: Any,
    *,
    guides: Sequence[Any] = (),
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    block: int = 1,
    **arguments: Any,
) -> LazyOutputs:
    """Separate a stack slice by slice when its outputs are read.

    Parameters
    ----------
    task : str
        As in `run`.
    mixture : array-like
        A stack; a dask array is read one slice at a time.
    guides, hints, mask
        As in `run`: one plane for all slices, or a stack like the mixture.
    stored : dtype, optional
        As in `run`.
    block : int
        Number of neighbouring slices that are separated one after the other, each started from the one
        before; 1 starts each slice from the middle one. Slices of a block are computed together.
    **arguments
        As in `run`.

    Returns
    -------
    LazyOutputs
        A dict of str to dask array: outputs in the layout of the mixture, one chunk a slice. Compute several
        of one slice together (``dask.compute(a[3], b[3])``): they come from one run. Slices that are not
        valid are NaN. Its ``provenance`` and ``warnings`` are those of the middle slice.

    Raises
    ------
    ImportError
        If dask is missing.
    TypeError, ValueError
        If the middle slice or a setting is not valid.

    Warns
    -----
    UserWarning
        The notices of the middle slice at once, and the reason for each slice that is left out when it is
        computed. Other notices, iterations, seconds and losses of other slices are not kept; `run` keeps
        them.

    Notes
    -----
    The middle slice is separated at once. Under attenuation its I0 is used for all slices, unless ``i0`` or a
    flat frame is given. Methods with a warm start (`Method.warm_start`) start the first slice of each block
    from it, with one model of colours for all. The result of a slice therefore does not depend on the order
    in which slices are read. Blocks count from the middle slice, in both directions.

    On a cluster, each slice, the middle session and the settings are nodes of their own, and tasks name them.
    Workers read the weights of trained networks from their files, once in each process.
    """
    try:
        import dask
        import dask.array
    except ImportError as error:
        raise ImportError("Expected Dask, found none: pip install 'napari-bitsnet[zarr]'.") from error

    if block < 1:
        raise ValueError(f"Expected block of at least 1 slice, got {block}.")
    settings = RunSettings.of(task, **arguments)
    made, target = make_task(settings), resolve_device(settings.device)
    images = RunInputs(
        made, mixture, guides=guides, hints=hints, mask=mask, axes=settings.axes, stored=stored
    )
    planes = images.planes
    middle = len(planes) // 2
    reference = solve(settings, made, images[middle], target, None)
    known = reference.finished()
    told = plane_notices(reference, known)
    if len(planes) > 1:
        told = [replace(notice, slices=(middle,)) for notice in told]
    provenance = record_provenance(settings, reference, reference.seconds, told, target)
    made, _ = made.for_stack([reference.inputs.mixture])

    blank = {name: (output.shape, output.dtype) for name, output in known.items()}
    settings = settings.updated({"device": target})
    work = dask.delayed(Work(settings, made, images.reading), pure=False, traverse=False)
    start = dask.delayed(Portable(reference), pure=False, traverse=False)
    parts = Parts(images)
    computed: list[Any] = [None] * len(planes)
    computed[middle] = dask.delayed({name: output.array for name, output in known.items()}, pure=False)
    for indices in blocks_of(len(planes), middle, block):
        given = [parts.of(i) for i in indices]
        found = dask.delayed(_arrays_of_block, pure=False)(work, start, blank, indices, given)
        for place, index in enumerate(indices):
            computed[index] = found[place]
    warn(told, stacklevel=2)
    outputs = {
        name: planes.assemble(
            [
                replace(output, array=dask.array.from_delayed(plane[name], output.shape, output.dtype))
                for plane in computed
            ]
        )
        for name, output in known.items()
    }
    return LazyOutputs(outputs, provenance, tuple(map(str, told)))


def _arrays_of_block(
    work: Work,
    start: Portable,
    blank: Mapping[str, tuple[tuple[int, ...], np.dtype]],
    indices: Sequence[int],
    parts: Sequence[Sequence[Any]],
) -> list[dict[str, NDArray]]:
    """Separate a block of slices, the first from `start`, and return the outputs of each; `blank` are those
    of a slice that is left out."""
    arrays = []
    for index, found in zip(indices, separate_block(work, start, parts), strict=True):
        if found.error is not None:
            _tell(Notice(LEFT_OUT, str(found.error), slices=(index,)))
            arrays.append({name: missing_plane(np.empty(*like)) for name, like in blank.items()})
        else:
            arrays.append({name: output.array for name, output in found.outputs.items()})
    return arrays


def _tell(notice: Notice) -> None:
    """Warn here, and from the worker of a cluster also at the client."""
    cluster = sys.modules.get("distributed")
    if cluster is None:
        warn([notice], stacklevel=2)
    else:
        cluster.warn(str(notice), UserWarning)
