"""Prepare the run of one plane: the problem, the method with its wrappers, and the state before the first
iteration."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator

from napari_bitsnet.api.choose import make_method
from napari_bitsnet.api.runner import Session
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.core.problem import Iteration
from napari_bitsnet.tasks import Inputs, Task

LOG = logging.getLogger(__name__)


def starting_session(
    settings: RunSettings,
    task: Task,
    inputs: Inputs,
    device: str,
    before: Session | None = None,
    *,
    stop: Callable[[], bool] | None = None,
    plane: int = 0,
) -> Generator[Iteration, None, Session]:
    """Check the images of one plane, choose the method and start it, and yield each stage of its start.

    Parameters
    ----------
    settings : RunSettings
    task : Task
    inputs : Inputs
        Of the plane.
    device : str
    before : Session, optional
        Of the previous slice, from which it starts where possible.
    stop : callable, optional
        Called at each stage. Return True to end the start with the best answer so far, as soon as there is
        one.
    plane : int
        Index in a stack, for the records.
    """
    began = time.perf_counter()
    built = task.build(inputs)
    problem = built.problem
    method = make_method(settings, task, problem.traits)
    if settings.n_seeds > 1:
        from napari_bitsnet.methods.wrappers.averaged_seeds import AveragedSeeds

        if not method.seeded:
            raise ValueError(
                f"Expected n_seeds=1 for {method.title}, whose answer is the same for every seed, got "
                f"{settings.n_seeds}."
            )
        method = AveragedSeeds(method, settings.n_seeds)
    if not method.full_resolution:
        from napari_bitsnet.methods.wrappers.working_size import WorkingSize

        method = WorkingSize(method, settings.size_limit)
    if problem.hints is not None:
        from napari_bitsnet.methods.wrappers.obeying import with_hints

        method = with_hints(method, problem) or method
    on_device = problem.to(device)
    size = "x".join(map(str, problem.observations.shape[-2:]))
    LOG.info("slice %d: %s of %s pixels on %s", plane, method.title, size, device)
    earlier = None if before is None else before.state
    stages = method.starting(on_device, earlier, device=device, seed=settings.seed)
    total, enough = settings.iterations or method.iterations, False
    while True:
        try:
            stage = stages.send(enough or None)
        except StopIteration as end:
            state = end.value
            break
        LOG.debug("slice %d: %s, %.2f s", plane, stage.name, time.perf_counter() - began)
        yield Iteration(0, total, time.perf_counter() - began, {}, dict, plane, stage)
        enough = stop is not None and stop()
    spent = time.perf_counter() - began
    return Session(task, inputs, built, method, state, spent, seed=settings.seed)
