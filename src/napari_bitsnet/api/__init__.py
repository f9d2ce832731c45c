"""Python functions: run any task, separate one image, iterate, resume, list tasks and methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_bitsnet.api.checks import check
from napari_bitsnet.api.choose import full_traits
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
        k where edges or areas belong to source k, 0 where nothing is known.
    mask : array of shape (Y, X), optional
        True where pixels are to be left out; they come back as NaN. For ``"inpaint"`` it marks the missing pixels.
    stored : dtype, optional
        Type of integers in which the mixture is stored, such as ``"uint8"``, where missing pixels (NaN) made floats of it:
        it says which value is white or saturated, and what ``save(depth="input")`` writes. Default the mixture's own; masked
        arrays (`numpy.ma`) keep theirs.
    axes : str, optional
        One letter for each dimension (Y, X, C for channels, any other for stacks); needed where the shape is ambiguous.
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
        Called after every iteration; True ends the run and keeps the best result so far.
    **options
        The task's settings, checked against its ``Config``: ``n_sources=2``, ``mixing="attenuation"`` …

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        If an image or a setting cannot be worked on: what was expected, what came, what to do.
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
    **arguments: Any,
) -> Result:
    """Separate one superimposed image: ``run("separate", mixture, …)``.

    Parameters
    ----------
    mixture, hints, mask, stored, stop
        As in `run`.
    **arguments
        Settings of the run and of the task, as in `run`.

    Returns
    -------
    Result
    """
    # not by way of `run`: a warning names the line that called, two frames up
    return finish(_start("separate", mixture, hints=hints, mask=mask, stored=stored, stop=stop, **arguments))


@spelled_out
def iter_separate(
    mixture: Any,
    *,
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    stop: Stop | None = None,
    **arguments: Any,
) -> Run:
    """Do the same work as `separate`, iteration by iteration.

    Parameters
    ----------
    mixture, hints, mask, stored, stop
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
        With ``losses`` and ``outputs``, fetched from the device only when they are looked at.
    """
    return _start("separate", mixture, hints=hints, mask=mask, stored=stored, stop=stop, **arguments)


def resume(result: Result, *, iterations: int = 500, stop: Stop | None = None) -> Result:
    """Go on from a result as if it had not ended.

    Parameters
    ----------
    result : Result
        Of a single image, with its state.
    iterations : int
        How many to add.
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
    """Return every task's name with a sentence on what it does."""
    return {name: TASKS.get(name).summary for name in TASKS}


def list_methods(task: str | None = None) -> dict[str, str]:
    """Return every method's name with a sentence on when to use it.

    Parameters
    ----------
    task : str, optional
        Only methods that can solve this task, with all its inputs given.
    """
    summaries = {name: METHODS.get(name).summary for name in METHODS}
    if task is None:
        return summaries
    traits = full_traits(task)
    return {
        name: text
        for name, text in summaries.items()
        if METHODS.get(name)(METHODS.get(name).Config()).unsupported_reason(traits) is None
    }


def _start(
    task: str,
    mixture: Any,
    *,
    guides: Sequence[Any] = (),
    hints: Any = None,
    mask: Any = None,
    stored: Any = None,
    stop: Stop | None = None,
    **arguments: Any,
) -> Run:
    """Start a run whose settings are the arguments of `run`."""
    settings = RunSettings.of(task, **arguments)
    return iter_run(settings, mixture, guides=guides, hints=hints, mask=mask, stored=stored, stop=stop)
