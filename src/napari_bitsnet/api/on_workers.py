"""Run on the workers of a Dask cluster: slices of a stack at the same time, one result."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

from napari_bitsnet.api.result import Result
from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.slices import Parts, Slice, Work, blocks_of, separate_block, separate_first
from napari_bitsnet.api.stack_notices import StackNotices
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.problem import Iteration
from napari_bitsnet.tasks import Task

POLL = 0.2
"""Seconds between two looks at `stop` while workers work."""


def run_on_workers(
    client: Any, settings: RunSettings, task: Task, images: RunInputs, stop: Callable[[], bool] | None
) -> Generator[Iteration, None, Result]:
    """Do what `iter_run` does, on the workers of `client`.

    The middle slice is separated first, and all others start from it, so that the result does not depend on
    the number of workers. An `Iteration` tells each slice that is finished; ``plane`` counts them.
    """
    began, planes = time.perf_counter(), images.planes
    task, shared = task.for_stack(planes) if len(planes) > 1 else (task, [])
    slices: dict[int, Slice] = {}
    for index, found in _finished(client, Work(settings, task, images.reading), images, stop):
        slices[index] = found
        elapsed = time.perf_counter() - began
        yield Iteration(1, 1, elapsed, {}, partial(dict, found.outputs), len(slices) - 1)
    return _assembled(images, slices, shared)


def _finished(
    client: Any, work: Work, images: RunInputs, stop: Callable[[], bool] | None
) -> Generator[tuple[int, Slice], None, None]:
    """Yield the index of each slice and the slice, in the order in which workers finish them, until all are
    or `stop` says so."""
    import dask
    import distributed

    parts, middle = Parts(images), len(images.planes) // 2
    shared = dask.delayed(work, pure=False, traverse=False)
    first = dask.delayed(separate_first, pure=False, nout=2)(shared, parts.of(middle))
    blocks = {
        index: dask.delayed(separate_block, pure=False)(shared, first[0], [parts.of(index)])[0]
        for (index,) in blocks_of(len(images.planes), middle, 1)
    }
    nodes = {middle: first[1], **blocks}
    waiting = dict(zip(client.compute(list(nodes.values())), nodes, strict=True))
    try:
        while waiting and not (stop is not None and stop()):
            try:
                done, _ = distributed.wait(list(waiting), timeout=POLL, return_when="FIRST_COMPLETED")
            except TimeoutError:
                continue
            for future in done:
                yield waiting.pop(future), future.result()
    finally:
        client.cancel(list(waiting))


def _assembled(images: RunInputs, slices: dict[int, Slice], shared: Sequence[Notice]) -> Result:
    """Return one result of all slices; those that are missing are empty in it."""
    planes, told = images.planes, StackNotices()
    for index, found in sorted(slices.items()):
        if found.error is not None:
            if len(planes) == 1:
                raise found.error
            told.leave_out(index, found.error)
        else:
            told.add(index, found.notices)
    kept = {index: found for index, found in sorted(slices.items()) if found.error is None}
    if not kept:
        raise ValueError(f"Expected at least one slice that can be worked on. {' '.join(told.reasons())}")
    notices = (*shared, *told.merged()) if len(planes) > 1 else told.plain()
    middle = kept.get(len(planes) // 2) or next(iter(kept.values()))
    outputs = {
        name: planes.assemble([kept[i].outputs.get(name) if i in kept else None for i in range(len(planes))])
        for name in middle.outputs
    }
    provenance = middle.provenance | {
        "seconds": round(sum(found.provenance["seconds"] for found in kept.values()), 3),
        "warnings": [str(notice) for notice in notices],
    }
    if len(slices) < len(planes):
        provenance["stop_reason"] = "stopped"
    return Result(outputs, provenance, tuple(notices))
