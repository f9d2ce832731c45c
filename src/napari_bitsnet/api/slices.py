"""Slices of a stack as nodes of a graph, which Dask's workers separate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_bitsnet.api.notices import plane_notices
from napari_bitsnet.api.portable import Portable
from napari_bitsnet.api.provenance import record_provenance
from napari_bitsnet.api.run_inputs import InputsReading, RunInputs
from napari_bitsnet.api.runner import Session
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.start import starting_session
from napari_bitsnet.core.device import resolve_device
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.core.problem import Iteration
from napari_bitsnet.core.stages import exhaust, telling
from napari_bitsnet.tasks import Inputs, Task


@dataclass(frozen=True)
class Work:
    """What all slices share; one node of the graph.

    Parameters
    ----------
    settings, task, reading
        Of the run. The worker resolves the device.
    """

    settings: RunSettings
    task: Task
    reading: InputsReading


@dataclass(frozen=True)
class Slice:
    """One separated slice.

    Parameters
    ----------
    outputs, provenance, notices
        As in `Result`, of this slice alone; empty if it was left out.
    error : Exception or None
        Why it was left out.
    """

    outputs: dict[str, Output] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    error: Exception | None = None


class Parts:
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


def blocks_of(count: int, middle: int, size: int) -> list[list[int]]:
    """Return the indices of all slices but the middle one, in blocks that lead away from it."""
    ways = [list(range(middle + 1, count)), list(range(middle - 1, -1, -1))]
    return [way[first : first + size] for way in ways for first in range(0, len(way), size)]


def separate_first(work: Work, parts: Sequence[Any]) -> tuple[Portable | None, Slice]:
    """Separate one slice, and also return its session, from which others start; None if it was left out."""
    session, found = _separate(work, parts, None)
    return None if session is None else Portable(session), found


def separate_block(work: Work, start: Portable | None, parts: Sequence[Sequence[Any]]) -> list[Slice]:
    """Separate neighbouring slices one after the other, the first from `start`, each from the one before."""
    before, found = None if start is None else start.session, []
    for given in parts:
        session, made = _separate(work, given, before)
        found.append(made)
        before = before if session is None else session
    return found


def _separate(work: Work, parts: Sequence[Any], before: Session | None) -> tuple[Session | None, Slice]:
    device = resolve_device(work.settings.device)
    try:
        session = solve(work.settings, work.task, work.reading(parts), device, before)
    except (TypeError, ValueError) as error:
        return None, Slice(error=error)
    outputs = session.finished()
    notices = plane_notices(session, outputs)
    record = record_provenance(work.settings, session, session.seconds, notices, device)
    return session, Slice(outputs, record, tuple(notices))


def solve(
    settings: RunSettings,
    task: Task,
    inputs: Inputs,
    device: str,
    before: Session | None,
    tell: Callable[[str], object] = lambda stage: None,
) -> Session:
    """Separate one slice, started from another one if there is one; `tell` is called with each stage."""

    def told(step: Iteration) -> None:
        if step.stage is not None:
            tell(step.stage.name)

    session = exhaust(telling(starting_session(settings, task, inputs, device, before), told))
    steps = session.advance(iterations=session.planned(settings.iterations), seconds=settings.seconds)
    exhaust(telling(steps, told))
    return session
