"""Separate the slices of a stack when they are read: outputs as dask arrays."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from napari_bitsnet.api.run_inputs import InputsReading, RunInputs
from napari_bitsnet.api.runner import Session
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.signatures import spelled_out
from napari_bitsnet.api.start import start_session
from napari_bitsnet.core.device import resolve_device
from napari_bitsnet.core.notices import LEFT_OUT, Notice
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.tasks import Inputs, Task


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
        raise ImportError("Expected dask to be installed, found none: pip install dask.") from error

    if block < 1:
        raise ValueError(f"Expected block of at least 1 slice, got {block}.")
    settings = RunSettings.of(task, **arguments)
    made, target = make_task(settings), resolve_device(settings.device)
    images = RunInputs(
        made, mixture, guides=guides, hints=hints, mask=mask, axes=settings.axes, stored=stored
    )
    planes = images.planes
    middle = len(planes) // 2
    reference = _solve(settings, made, images[middle], target, None)
    known = reference.finished()
    told = plane_notices(reference, known)
    if len(planes) > 1:
        told = [replace(notice, slices=(middle,)) for notice in told]
    provenance = record_provenance(settings, reference, reference.seconds, told, target)
    made, _ = made.for_stack([reference.inputs.mixture])

    blank = {name: (output.shape, output.dtype) for name, output in known.items()}
    work = dask.delayed(_Work(settings, made, target, images.reading, blank), pure=False, traverse=False)
    start = dask.delayed(Portable(reference), pure=False, traverse=False)
    parts = _Parts(images)
    computed: list[Any] = [None] * len(planes)
    computed[middle] = dask.delayed({name: output.array for name, output in known.items()}, pure=False)
    for indices in _blocks(len(planes), middle, block):
        found = dask.delayed(_separate, pure=False)(work, start, indices, [parts.of(i) for i in indices])
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


@dataclass(frozen=True)
class _Work:
    """What all slices share; one node of the graph.

    Parameters
    ----------
    settings, task, device, reading
        Of the run.
    blank : dict of str to (shape, dtype)
        Outputs of a slice that is left out.
    """

    settings: RunSettings
    task: Task
    device: str
    reading: InputsReading
    blank: Mapping[str, tuple[tuple[int, ...], np.dtype]]


class _Parts:
    """Parts of a run's arrays that belong to one slice, as nodes of a graph."""

    def __init__(self, images: RunInputs) -> None:
        self._fields = images.fields
        self._made: dict[tuple[int, int], Any] = {}
        self._arrays: dict[int, Any] = {}

    def of(self, index: int) -> list[Any]:
        """Return the parts of slice `index`; that of an array with one plane for all is one node."""
        return [
            None if field is None else self._node(number, field, field.of(index))
            for number, field in enumerate(self._fields)
        ]

    def _node(self, number: int, field: Any, index: int) -> Any:
        import dask

        if (number, index) not in self._made:
            place = field.place(index)
            if isinstance(field.array, np.ndarray):
                part = dask.delayed(field.array[place], pure=False, traverse=False)
            elif dask.is_dask_collection(field.array):
                part = dask.delayed(field.array[place])
            else:  # read where it is needed: the array knows its file
                if number not in self._arrays:
                    self._arrays[number] = dask.delayed(field.array, pure=False, traverse=False)
                part = self._arrays[number][place]
            self._made[number, index] = part
        return self._made[number, index]


def _blocks(count: int, middle: int, size: int) -> list[list[int]]:
    """Return the indices of all slices but the middle one, in blocks that lead away from it."""
    ways = [list(range(middle + 1, count)), list(range(middle - 1, -1, -1))]
    return [way[first : first + size] for way in ways for first in range(0, len(way), size)]


def _separate(
    work: _Work, start: Portable, indices: Sequence[int], parts: Sequence[Sequence[Any]]
) -> list[dict[str, NDArray]]:
    """Separate a block of slices, the first from `start`, and return the outputs of each."""
    before, found = start.session, []
    for index, given in zip(indices, parts, strict=True):
        try:
            session = _solve(work.settings, work.task, work.reading(given), work.device, before)
            found.append({name: output.array for name, output in session.outputs().items()})
        except (TypeError, ValueError) as error:
            _tell(Notice(LEFT_OUT, str(error), slices=(index,)))
            found.append({name: missing_plane(np.empty(*like)) for name, like in work.blank.items()})
        else:
            before = session
    return found


def _tell(notice: Notice) -> None:
    """Warn here, and from the worker of a cluster also at the client."""
    cluster = sys.modules.get("distributed")
    if cluster is None:
        warn([notice], stacklevel=2)
    else:
        cluster.warn(str(notice), UserWarning)


def _solve(settings: RunSettings, task: Task, inputs: Inputs, device: str, before: Session | None) -> Session:
    session = start_session(settings, task, inputs, device, before)
    for _ in session.advance(iterations=session.planned(settings.iterations), seconds=settings.seconds):
        pass
    return session
