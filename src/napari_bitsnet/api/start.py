"""One plane's run, made ready: the problem, the method with its wrappers, and the state before the first iteration."""

from __future__ import annotations

import time

from napari_bitsnet.api.choose import make_method
from napari_bitsnet.api.runner import Session
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.tasks import Inputs, Task


def start_session(
    settings: RunSettings, task: Task, inputs: Inputs, device: str, before: Session | None = None
) -> Session:
    """Check one plane's images, choose the method and make it ready, from the slice before if it can."""
    began = time.perf_counter()
    built = task.build(inputs)
    problem = built.problem
    method = make_method(settings, task, problem.traits)
    if settings.n_seeds > 1:
        from napari_bitsnet.methods.wrappers.averaged_seeds import AveragedSeeds

        if not method.seeded:
            raise ValueError(
                f"Expected n_seeds=1 for {method.title}, whose answer is the same for every seed, got {settings.n_seeds}."
            )
        method = AveragedSeeds(method, settings.n_seeds)
    if not method.full_resolution:
        from napari_bitsnet.methods.wrappers.working_size import WorkingSize

        method = WorkingSize(method, settings.size_limit)
    if problem.hints is not None:
        from napari_bitsnet.methods.wrappers.obeying import with_hints

        method = with_hints(method, problem) or method
    on_device = problem.to(device)
    if before is None:
        state = method.start(on_device, device=device, seed=settings.seed)
    else:
        state = method.warm_start(on_device, before.state, device=device, seed=settings.seed)
    spent = time.perf_counter() - began
    return Session(task, inputs, built, method, state, spent, seed=settings.seed)
