"""Run all planes: separate each one, assemble the outputs, and return the result with its notices."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from napari_bitsnet.api.choose import make_task
from napari_bitsnet.api.notices import plane_notices, warn
from napari_bitsnet.api.progress import with_bar
from napari_bitsnet.api.provenance import record_provenance
from napari_bitsnet.api.result import Result
from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.api.runner import NewHints, Session
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.stack_notices import StackNotices
from napari_bitsnet.api.start import starting_session
from napari_bitsnet.core.device import free_memory, is_out_of_memory, out_of_memory, resolve_device
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.core.problem import Iteration
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.core.threads import with_polite_threads
from napari_bitsnet.tasks import Task

Stop = Callable[[], bool]
Run = Generator[Iteration, None, Result]


def iter_run(
    settings: RunSettings,
    mixture: Any,
    *,
    guides: Sequence[Any] | None = (),
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    stop: Stop | None = None,
    new_hints: NewHints | None = None,
    progress: bool = False,
    client: Any = None,
) -> Run:
    """Run, yield each iteration and return the `Result`.

    Parameters
    ----------
    settings : RunSettings
        Everything that determines the run.
    mixture : array
        The observed image, a stack of them, or several mixtures (M, …), with the axes ``settings.axes``.
    guides : sequence of array or None
        One for each source, or None; one plane, or a stack like the mixture.
    hints : integer array, optional
        k for pixels of source k, 0 for unknown.
    mask : array, optional
        True for pixels that are left out.
    stored : dtype, optional
        Integer type of the mixture's file, if missing pixels made it float; default the type of `mixture`.
    stop : callable, optional
        Called after each iteration. Return True to stop and keep the best result so far.
    new_hints : callable, optional
        Called after each iteration; returns new hints, like `hints`, or None.
    progress : bool
        Whether to show a bar with iterations and stages, on stderr or in the notebook.
    client : distributed.Client, optional
        Cluster whose workers separate the slices; see `run`.

    Returns
    -------
    Result

    Yields
    ------
    Iteration
        One step. In a stack, ``plane`` is the index of the slice. Slices that are not valid are left out,
        with a warning in the result.

    Raises
    ------
    TypeError, ValueError
        If an image or a setting is not valid; before any long work.
    OutOfMemory
        If the device's memory is full.
    """
    task = make_task(settings)
    device = resolve_device(settings.device) if client is None else "cpu"
    images = RunInputs(
        task, mixture, guides=guides, hints=hints, mask=mask, axes=settings.axes, stored=stored
    )
    height, width = (int(images.planes.array.shape[images.planes.axes.index(a)]) for a in "YX")
    if client is None:
        run = _run_planes(settings, task, images, device, stop, new_hints)
    else:
        from napari_bitsnet.api.on_workers import run_on_workers

        run = run_on_workers(client, settings, task, images, stop)
    if progress:
        run = with_bar(run, settings.task, n_planes=len(images.planes))
    result = yield from explain_full_memory(run, min(height * width, settings.size_limit**2), device)
    result.mixture, result.guides = mixture, tuple(guides or ())
    return result


def _run_planes(
    settings: RunSettings,
    task: Task,
    images: RunInputs,
    device: str,
    stop: Stop | None,
    new_hints: NewHints | None,
) -> Run:
    """Run each plane of a stack and assemble the outputs."""

    def arrived(index: int) -> NDArray | None:
        """Return new hints for this plane; later planes get them as well."""
        labels = None if new_hints is None else new_hints()
        if labels is None:
            return None
        images.take_hints(labels)
        return images.hints_of(index)

    planes = images.planes
    session: Session | None = None
    seconds = 0.0
    kept: list[dict[str, Output] | None] = []
    task, shared = task.for_stack(planes) if len(planes) > 1 else (task, [])
    told = StackNotices()
    for index in range(len(planes)):
        try:
            started = yield from starting_session(
                settings, task, images[index], device, session, stop=stop, plane=index
            )
        except (TypeError, ValueError) as error:
            if len(planes) == 1:
                raise
            told.leave_out(index, error)
            kept.append(None)
            continue
        session = started  # of a stack only the last is kept: its networks would fill the memory
        yield from session.advance(
            iterations=session.planned(settings.iterations),
            seconds=settings.seconds,
            stop=stop,
            hints=partial(arrived, index),
            plane=index,
        )
        outputs = session.finished()
        kept.append(outputs)
        seconds += session.seconds
        told.add(index, plane_notices(session, outputs))
        left = len(planes) - index - 1
        # a closed form ends before it would ask
        if session.stop_reason == "stopped" or (left and stop is not None and stop()):
            session.stop_reason = "stopped"
            kept += [None] * left
            break
    if session is None:
        raise ValueError(f"Expected at least one slice that can be worked on. {' '.join(told.reasons())}")
    notices = (*shared, *told.merged()) if len(planes) > 1 else told.plain()
    assembled = {
        name: planes.assemble([None if k is None else k.get(name) for k in kept])
        for name in next(k for k in kept if k is not None)
    }
    provenance = record_provenance(settings, session, seconds, notices, device)
    return Result(assembled, provenance, tuple(notices), session if len(planes) == 1 else None)


def explain_full_memory(run: Run, pixels: int, device: str) -> Run:
    """Convert the out-of-memory error of a device to one with advice."""
    try:
        return (yield from with_polite_threads(run))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # outside the except block, so that no frame of the failed run keeps its tensors alive
    free_memory()
    raise out_of_memory(pixels, device)


def finish(run: Run) -> Result:
    """Finish a run and return its result; issue its notices as Python warnings for the line that called the
    caller."""
    result = exhaust(run)
    warn(result.notices, stacklevel=3)
    return result
