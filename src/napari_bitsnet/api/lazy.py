"""Separate the slices of a stack when they are read: outputs as dask arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from napari_bitsnet.api.choose import make_task
from napari_bitsnet.api.notices import plane_notices, warn
from napari_bitsnet.api.planes import missing_plane
from napari_bitsnet.api.provenance import record_provenance
from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.api.runner import Session
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.signatures import spelled_out
from napari_bitsnet.api.start import start_session
from napari_bitsnet.core.device import resolve_device
from napari_bitsnet.core.notices import LEFT_OUT, Notice
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
        self, outputs: dict[str, Any], provenance: dict[str, Any], warnings: tuple[str, ...]
    ) -> None:
        super().__init__(outputs)
        self.provenance, self.warnings = provenance, warnings


@spelled_out
def run_lazily(
    task: str,
    mixture: Any,
    *,
    guides: Sequence[Any] = (),
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    **arguments: Any,
) -> LazyOutputs:
    """Separate a stack slice by slice when its outputs are read.

    Parameters
    ----------
    task : str
        As in `run`.
    mixture : array-like
        A stack; a dask array is read one slice at a time.
    stored : dtype, optional
        As in `run`.
    guides, hints, mask
        As in `run`: one plane for all slices, or a stack like the mixture.
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
    flat frame is given. Methods with a warm start (`Method.warm_start`) start every other slice from it, with
    one model of colours for all. The result of a slice therefore does not depend on the order in which slices
    are read.
    """
    try:
        import dask
        import dask.array
    except ImportError as error:
        raise ImportError("Expected dask to be installed, found none: pip install dask.") from error

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

    def outputs(index: int) -> dict[str, NDArray]:
        try:
            found = _solve(settings, made, images[index], target, reference).outputs()
            return {name: output.array for name, output in found.items()}
        except (TypeError, ValueError) as error:
            warn([Notice(LEFT_OUT, str(error), slices=(index,))], stacklevel=1)
            return {name: missing_plane(output.array) for name, output in known.items()}

    computed = [
        dask.delayed({name: output.array for name, output in known.items()})
        if index == middle
        else dask.delayed(outputs)(index)
        for index in range(len(planes))
    ]
    warn(told, stacklevel=2)
    arrays = {
        name: planes.assemble(
            [
                replace(output, array=dask.array.from_delayed(plane[name], output.shape, output.dtype))
                for plane in computed
            ]
        ).array
        for name, output in known.items()
    }
    return LazyOutputs(arrays, provenance, tuple(map(str, told)))


def _solve(settings: RunSettings, task: Task, inputs: Inputs, device: str, before: Session | None) -> Session:
    session = start_session(settings, task, inputs, device, before)
    for _ in session.advance(iterations=session.planned(settings.iterations), seconds=settings.seconds):
        pass
    return session
