"""Python functions: run any task, separate one image, iterate, resume, list tasks and methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_bitsnet.api.checks import check
from napari_bitsnet.api.choose import fitting_methods
from napari_bitsnet.api.lazy import run_lazily
from napari_bitsnet.api.result import Result
from napari_bitsnet.api.resuming import iter_resume
from napari_bitsnet.api.running import Run, Stop, finish, iter_run
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.signatures import spelled_out
from napari_bitsnet.api.spike import SpikeIn, spike_in
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

__all__ = [
    "Result",
    "RunSettings",
    "SpikeIn",
    "check",
    "iter_resume",
    "iter_run",
    "iter_separate",
    "list_methods",
    "list_tasks",
    "resume",
    "run",
    "run_lazily",
    "separate",
    "spike_in",
]


def run(
    task: str,
    mixture: Any,
    *,
    guides: Sequence[Any] = (),
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    axes: str | None = None,
    method: str = "auto",
    preset: str = "balanced",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    n_seeds: int = 1,
    device: str = "auto",
    size_limit: int = 512,
    iterations: int | None = None,
    seconds: float | None = None,
    stop: Stop | None = None,
    progress: bool = False,
    client: Any = None,
    **options: Any,
) -> Result:
    """Run a task and return its result.

    Parameters
    ----------
    task : str
        See `list_tasks`: ``"separate"``, ``"xray"``, ``"multi_mixture"`` …
    mixture : array of shape (Y, X) or (Y, X, C), a stack, or several mixtures (M, …)
        The observed image; any real type and range.
    guides : sequence of array or None
        One image of each source in another modality, registered with the mixture, or None.
    hints : integer array of shape (Y, X), optional
        k for edges or areas of source k, 0 for unknown.
    mask : array of shape (Y, X), optional
        True for pixels that are left out and come back as NaN. For ``"inpaint"`` it marks the missing pixels.
    stored : dtype, optional
        Integer type in which the mixture is stored, such as ``"uint8"``, if it was converted to float because
        of missing pixels (NaN). It gives the value of white and of saturation, and the type that
        ``save(depth="input")`` writes. By default the type of the mixture; masked arrays (`numpy.ma`) keep
        theirs.
    axes : str, optional
        One letter for each dimension (Y, X, C for channels, any other for stacks); needed where the shape is
        ambiguous.
    method, preset : str
        See `list_methods`; ``"auto"`` lets the task choose.
    settings : mapping, optional
        Settings of the method that differ from the preset's.
    seed : int
        Seed of all randomness; the same seed, device and number of threads give the same result.
    n_seeds : int
        Number of seeds of untrained networks whose answers are averaged: `seed`, ``seed + 1`` …
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    size_limit : int
        Longer side, in pixels, at which networks work; larger images are brought back to full resolution.
    iterations : int, optional
        Iterations of the method; default its preset's.
    seconds : float, optional
        Time limit; the best so far is kept.
    stop : callable, optional
        Called after each iteration. Return True to stop and keep the best result so far.
    progress : bool
        Whether to show a bar with iterations and stages, on stderr or in the notebook.
    client : distributed.Client, optional
        Dask cluster whose workers separate the slices of a stack at the same time: the middle one first, all
        others from it. The result has no state.
    **options
        Settings of the task, checked against its ``Config``: ``n_sources=2``, ``mixing="attenuation"`` …

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        If an image or a setting is not valid.
    OutOfMemory
        If the device's memory is full; the message names what would fit.

    Warns
    -----
    NotSeparatedWarning
        If the sources are little more than copies of the mixture.
    """
    arguments = locals()
    return finish(_start(**arguments))


@spelled_out
def separate(
    mixture: Any,
    *,
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    stop: Stop | None = None,
    progress: bool = False,
    client: Any = None,
    **arguments: Any,
) -> Result:
    """Separate one superimposed image: ``run("separate", mixture, …)``.

    Parameters
    ----------
    mixture, hints, mask, stored, stop, progress, client
        As in `run`.
    **arguments
        Settings of the run and of the task, as in `run`.

    Returns
    -------
    Result
    """
    named = {"hints": hints, "mask": mask, "stored": stored, "stop": stop, "progress": progress}
    # not by way of `run`: a warning names the line that called, two frames up
    return finish(_start("separate", mixture, **named, client=client, **arguments))


@spelled_out
def iter_separate(
    mixture: Any,
    *,
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    stop: Stop | None = None,
    progress: bool = False,
    client: Any = None,
    **arguments: Any,
) -> Run:
    """Do the same work as `separate`, iteration by iteration.

    Parameters
    ----------
    mixture, hints, mask, stored, stop, progress, client
        As in `run`.
    **arguments
        Settings of the run and of the task, as in `run`.

    Returns
    -------
    Result
        The generator's return value.

    Yields
    ------
    Iteration
        Has ``losses`` and ``outputs``, which are copied from the device only when they are read.
    """
    named = {"hints": hints, "mask": mask, "stored": stored, "stop": stop, "progress": progress}
    return _start("separate", mixture, **named, client=client, **arguments)


def resume(result: Result, *, iterations: int = 500, stop: Stop | None = None) -> Result:
    """Continue from a result as if it had not ended.

    Parameters
    ----------
    result : Result
        Result of a single image, with its state.
    iterations : int
        Number of additional iterations.
    stop : callable, optional
        As in `run`.

    Returns
    -------
    Result

    Raises
    ------
    ValueError
        If the result has no state: it was dropped, or belongs to a stack.
    """
    return finish(iter_resume(result, iterations=iterations, stop=stop))


def list_tasks() -> dict[str, str]:
    """Return the name of each task with a sentence about its purpose."""
    return {name: TASKS.get(name).summary for name in TASKS}


def list_methods(task: str | None = None) -> dict[str, str]:
    """Return the name of each method with a sentence about its use.

    Parameters
    ----------
    task : str, optional
        Restrict the list to methods that can solve this task, also those that need weights of your own.
    """
    names = METHODS if task is None else fitting_methods(task)
    return {name: METHODS.get(name).summary for name in names}


def _start(task: str, mixture: Any, **arguments: Any) -> Run:
    """Start a run, given the arguments of `run`."""
    inputs = ("guides", "hints", "mask", "stored", "stop", "progress", "client")
    given = {name: arguments.pop(name) for name in inputs if name in arguments}
    return iter_run(RunSettings.of(task, **arguments), mixture, **given)
