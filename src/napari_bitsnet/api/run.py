"""From settings and images to a `Result`: choose the method, run every plane, put the outputs together."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.misplaced import place_of_options, place_of_settings
from napari_bitsnet.api.notices import (
    NotSeparatedWarning,
    collected,
    divided_unexplained,
    doubtful,
    foreground_around,
    not_separated,
    repeating,
)
from napari_bitsnet.api.provenance import record_provenance
from napari_bitsnet.api.result import Result
from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.api.runner import NewHints, Session
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.shared_blank import with_shared_blank
from napari_bitsnet.api.stack_notices import StackNotices
from napari_bitsnet.core.config import UnknownSetting
from napari_bitsnet.core.device import free_memory, is_out_of_memory, out_of_memory, resolve_device
from napari_bitsnet.core.problem import Iteration, Traits
from napari_bitsnet.core.spelling import suggestion
from napari_bitsnet.methods import METHODS, Method
from napari_bitsnet.tasks import TASKS, Inputs, Task

Stop = Callable[[], bool]
Run = Generator[Iteration, None, Result]


def make_task(settings: RunSettings) -> Task:
    """Return the task with its options checked.

    Raises
    ------
    ValueError
        If the task or an option is unknown, or an option is out of range.
    """
    task = TASKS.get(settings.task.replace("-", "_"))  # as the command line spells it
    try:
        return task(task.Config().updated(settings.options))
    except UnknownSetting as error:
        also = [*(field.name for field in fields(Inputs)), *RunSettings.model_fields]
        told = UnknownSetting(error.names, error.known, also)
        raise ValueError(f"{told}{place_of_options(error.names, settings)}") from None


def make_method(settings: RunSettings, task: Task, traits: Traits) -> Method:
    """Return the method with its settings checked.

    Raises
    ------
    ValueError
        If method, preset or a setting is unknown, or the method cannot solve such a problem.
    """
    name = task.default_method(traits) if settings.method == "auto" else settings.method
    method = METHODS.get(name)
    if settings.preset not in method.presets:
        guess = suggestion(settings.preset, method.presets)
        raise ValueError(
            f"Unknown preset {settings.preset!r} of {name}.{guess} Known: {', '.join(method.presets)}."
        )
    try:
        made = method(method.presets[settings.preset].updated(settings.settings))
    except UnknownSetting as error:
        raise ValueError(f"{error}{place_of_settings(error.names, settings)}") from None
    reason = made.supports(traits)
    if reason is not None:
        fitting = [n for n in METHODS if METHODS.get(n)(METHODS.get(n).Config()).supports(traits) is None]
        if reason.split(" ")[0].istitle():  # a word, not a name such as BITS-Net
            reason = reason[0].lower() + reason[1:]
        whose = tasks_of(name)
        where = "" if task.name in whose or not whose else f" It is for the task {' or '.join(whose)}."
        raise ValueError(
            f"{made.title} cannot solve this: {reason}{where} Methods that can: {', '.join(fitting)}."
        )
    return made


def tasks_of(method: str) -> list[str]:
    """Names of the tasks that a method can solve, with all their inputs given."""
    made = METHODS.get(method)(METHODS.get(method).Config())
    return [name for name in TASKS if made.supports(full_traits(name)) is None]


def full_traits(task: str) -> Traits:
    """What a task's problems look like with its default settings and all its inputs given."""
    entry = TASKS.get(task)
    names = {i.name: i for i in entry.inputs}
    several = "mixture" in names and names["mixture"].many
    return entry(entry.Config()).traits(
        n_observations=2 if several else 1,
        n_guides=2 if "guides" in names else 0,
        has_hints="hints" in names,
    )


def start_session(
    settings: RunSettings, task: Task, inputs: Inputs, device: str, before: Session | None = None
) -> Session:
    """Check one plane's images, choose the method and make it ready, from the slice before if it can."""
    began = time.perf_counter()
    notices: list[str] = []
    with collected(notices):
        built = task.build(inputs)
    problem = built.problem
    method = make_method(settings, task, problem.traits)
    if settings.n_seeds > 1:
        from napari_bitsnet.methods.wrappers.averaged_seeds import AveragedSeeds

        if not getattr(method, "seeded", False):
            raise ValueError(
                f"Expected n_seeds=1 for {method.title}, whose answer is the same for every seed, got {settings.n_seeds}."
            )
        # a wrapper has on the instance what a method has on the class
        method = cast("Method[Any]", AveragedSeeds(method, settings.n_seeds))
    if not method.full_resolution:
        from napari_bitsnet.methods.wrappers.working_size import WorkingSize

        method = cast("Method[Any]", WorkingSize(method, settings.size_limit))
    if problem.hints is not None:
        from napari_bitsnet.methods.wrappers.obeying import with_hints

        method = with_hints(method, problem) or method
    warm = getattr(method, "start_after", None) if before is not None else None
    if warm is None or before is None:
        state = method.start(problem.to(device), device=device, seed=settings.seed)
    else:
        state = warm(problem.to(device), before.state, device=device, seed=settings.seed)
    spent = time.perf_counter() - began
    return Session(task, inputs, built, method, state, spent, notices=tuple(notices), seed=settings.seed)


def iter_run(
    settings: RunSettings,
    mixture: Any,
    *,
    guides: Sequence[Any] | None = (),
    hints: Any = None,
    mask: Any = None,
    stop: Stop | None = None,
    new_hints: NewHints | None = None,
) -> Run:
    """Run, yielding every iteration and returning the `Result`.

    Parameters
    ----------
    settings : RunSettings
        Everything that determines the run.
    mixture : array
        The observed image, a stack of them, or several mixtures (M, …); axes as ``settings.axes`` says.
    guides : sequence of array or None
        One a source, or None; one plane, or a stack like the mixture.
    hints : integer array, optional
        k where pixels belong to source k, 0 where nothing is said.
    mask : array, optional
        True where pixels are to be left out.
    stop : callable, optional
        Asked after every iteration; True ends the run and keeps the best so far.
    new_hints : callable, optional
        Asked after every iteration for hints that have come meanwhile, as `hints`; None if there are none.

    Returns
    -------
    Result

    Yields
    ------
    Iteration
        One step. In a stack its ``plane`` says which slice; slices that cannot be worked on are left out
        with a warning in the result.

    Raises
    ------
    TypeError, ValueError
        If an image or a setting cannot be worked on; before any long work.
    OutOfMemory
        If the device's memory is full.
    """
    task = make_task(settings)
    device = resolve_device(settings.device)
    images = RunInputs(task, mixture, guides=guides, hints=hints, mask=mask, axes=settings.axes)
    height, width = (int(images.planes.array.shape[images.planes.axes.index(a)]) for a in "YX")
    run = _run_planes(settings, task, images, device, stop, new_hints)
    result = yield from _explain_full_memory(run, min(height * width, settings.size_limit**2), device)
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
    """Run every plane of a stack and put the outputs together."""

    def arrived(index: int) -> NDArray | None:
        """Hints for this plane that have come since the run began; later planes get them, too."""
        labels = None if new_hints is None else new_hints()
        if labels is None:
            return None
        images.take_hints(labels)
        return images.hints_of(index)

    planes = images.planes
    session: Session | None = None
    seconds = 0.0
    kept: list[dict[str, NDArray] | None] = []
    task, notices = with_shared_blank(task, planes)
    told = StackNotices()
    for index in range(len(planes)):
        try:
            started = start_session(settings, task, images[index], device, session)
        except (TypeError, ValueError) as error:
            if len(planes) == 1:
                raise
            told.leave_out(index, str(error))
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
        kept.append(session.finished())
        seconds += session.seconds
        for text in slice_notices(session, kept[-1]):
            told.add(index, text)
        left = len(planes) - index - 1
        # a closed form ends before it would ask
        if session.stop_reason == "stopped" or (left and stop is not None and stop()):
            session.stop_reason = "stopped"
            kept += [None] * left
            break
    if session is None:
        raise ValueError(f"Expected at least one slice that can be worked on. {' '.join(told.reasons())}")
    notices += told.texts() if len(planes) > 1 else told.plain()
    outputs = {
        name: planes.assemble([None if k is None else k.get(name) for k in kept])
        for name in next(k for k in kept if k is not None)
    }
    provenance = record_provenance(settings, session, seconds, notices, device)
    return Result(outputs, provenance, tuple(notices), session if len(planes) == 1 else None)


def _explain_full_memory(run: Run, pixels: int, device: str) -> Run:
    """Turn a device's out-of-memory error into one with advice."""
    try:
        return (yield from run)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # outside the except block, so that no frame of the failed run keeps its tensors alive
    free_memory()
    raise out_of_memory(pixels, device)


def iter_resume(
    result: Result,
    *,
    iterations: int = 500,
    stop: Stop | None = None,
    hints: Any = None,
    new_hints: NewHints | None = None,
) -> Run:
    """Go on from a result, yielding every iteration and returning the new `Result`.

    Parameters
    ----------
    result : Result
        Of a single image, with its state.
    iterations : int
        How many to add.
    stop : callable, optional
        As in `iter_run`.
    hints : integer array of shape (Y, X), optional
        Other hints than before: networks go on with them, closed forms are solved again.
    new_hints : callable, optional
        As in `iter_run`.

    Raises
    ------
    ValueError
        If the result has no state: it was dropped, or belongs to a stack.
    """
    session = result.state
    if session is None:
        raise ValueError(
            "Expected a result with its state, got one without (dropped, or of a stack): run again with "
            "more iterations."
        )
    settings = RunSettings.model_validate(result.provenance["settings"])
    if hints is not None:
        session.take_hints(np.asarray(hints))
    settings = settings.updated({"iterations": session.state.step + iterations})
    device = result.provenance["device"]
    height, width = session.problem.observations.shape[-2:]
    run = _advance_further(settings, session, iterations, stop, new_hints, device)
    more = yield from _explain_full_memory(run, min(height * width, settings.size_limit**2), device)
    more.mixture, more.guides = result.mixture, result.guides
    return more


def _advance_further(
    settings: RunSettings,
    session: Session,
    iterations: int,
    stop: Stop | None,
    new_hints: NewHints | None,
    device: str,
) -> Run:
    yield from session.advance(iterations=iterations, stop=stop, hints=new_hints)
    outputs = session.finished()
    notices = slice_notices(session, outputs)
    provenance = record_provenance(settings, session, session.seconds, notices, device)
    return Result(outputs, provenance, tuple(notices), session)


def finish(run: Run) -> Result:
    """Exhaust a run and return its result, with its warnings as Python warnings."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            result: Result = end.value
            break
    for text in result.warnings:
        category = NotSeparatedWarning if text.startswith("Not separable") else UserWarning
        warnings.warn(text, category, stacklevel=3)
    return result


def slice_notices(session: Session, outputs: dict[str, NDArray] | None) -> list[str]:
    """Warnings of one plane: of the task, of the method, and of the outcome."""
    found = [*session.notices, *session.state.notices]
    problem = session.problem
    if outputs is not None and "residual" in outputs and problem.mixing.name == "linear":
        patterns = None
        if session.task.name == "separate":
            patterns = repeating(session.inputs.mixture, problem.traits, session.method.name)
            found.append(patterns or "")  # first: it needs no more than this image
        copies = None
        if problem.density_of is None:
            sources = [o for name, o in outputs.items() if name.startswith("source_")]
            copies = not_separated(
                sources, session.inputs.mixture, problem.traits, patterns=patterns is not None
            )
        found.append(copies or doubtful(outputs) or "")
        if getattr(session.task.config, "unexplained", "") == "divided":
            found.append(divided_unexplained(outputs, problem.traits.n_guides) or "")
    if outputs is not None and "labels" in outputs and session.inputs.hints is not None:
        found.append(foreground_around(outputs["labels"]) or "")
    return list(dict.fromkeys(text for text in found if text))
