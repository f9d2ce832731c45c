"""Prepare the images of a run, in the same way for every entry: run, lazy run, check, spike-in and saving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.planes import PlaneReading, Planes
from napari_bitsnet.tasks import TASKS, Inputs, Task


def planes_of(task: Task | type[Task], mixture: Any, axes: str | None) -> Planes:
    """Return the mixture of a task as planes; the task defines whether a plane has one image or several.

    Raises
    ------
    TypeError, ValueError
        See `Planes`.
    """
    observed = next(i for i in task.inputs if i.name == "mixture")
    return Planes(mixture, axes, several=observed.many, single=observed.least == 1)


class RunInputs:
    """Mixture, guides, hints and mask of a run, as one `Inputs` for each plane.

    Parameters
    ----------
    task : Task
        Task, which declares its inputs.
    mixture, guides, hints, mask
        As in `run`.
    axes : str, optional
        One letter for each dimension of the mixture.
    stored : dtype, optional
        Integer type of the mixture's file, if missing pixels made it float; default the type of `mixture`.

    Raises
    ------
    TypeError, ValueError
        If an input is not an array, does not fit the mixture, or is not used by the task.
    """

    def __init__(
        self,
        task: Task,
        mixture: Any,
        *,
        guides: Sequence[Any] | None = (),
        hints: Any = None,
        mask: Any = None,
        axes: str | None = None,
        stored: Any = None,
    ) -> None:
        if hasattr(guides, "shape") or isinstance(guides, str):
            raise TypeError(
                "Expected a list of guides, one image or None a source, got a single one: guides=[image, "
                "None]."
            )
        guides = tuple(guides or ())
        _check_taken(task, guides=[g for g in guides if g is not None], hints=hints, mask=mask)
        self.planes = planes_of(task, mixture, axes)
        self.stored: np.dtype = self.planes.stored if stored is None else np.dtype(stored)
        self._guides = [self.planes.match(g, f"guide {k + 1}") for k, g in enumerate(guides)]
        self._mask = self.planes.match(mask, "the mask", labels=True)
        self.take_hints(hints)

    def __len__(self) -> int:
        return len(self.planes)

    def __getitem__(self, index: int) -> Inputs:
        """Return the arrays of one plane."""
        return self.reading([None if f is None else f.array[f.place(f.of(index))] for f in self.fields])

    @property
    def fields(self) -> tuple[Planes | None, ...]:
        """Return the planes of the mixture, each guide, hints and mask."""
        return self.planes, *self._guides, self._hints, self._mask

    @property
    def reading(self) -> InputsReading:
        """Return how parts of the arrays become the inputs of a plane."""
        return InputsReading(tuple(None if f is None else f.reading for f in self.fields), self.stored)

    def take_hints(self, hints: Any) -> None:
        """Replace the hints."""
        self._hints = self.planes.match(hints, "hints", labels=True)

    def hints_of(self, index: int) -> NDArray | None:
        """Return the hints of one plane."""
        return self.planes.plane_of(self._hints, index)


@dataclass(frozen=True)
class InputsReading:
    """Reads parts of the arrays of `RunInputs.fields` as the inputs of a plane; it does not hold the arrays.

    Parameters
    ----------
    readings : tuple of PlaneReading or None
        One for each field.
    stored : dtype
        As in `RunInputs`.
    """

    readings: tuple[PlaneReading | None, ...]
    stored: np.dtype

    def __call__(self, parts: Sequence[Any]) -> Inputs:
        """Return the inputs of a plane, given its part of each array; None for a field that is None."""
        planes = [
            None if reading is None else reading(part)
            for reading, part in zip(self.readings, parts, strict=True)
        ]
        mixture, *guides, hints, mask = planes
        assert mixture is not None
        return Inputs(mixture, tuple(guides), hints, mask, self.stored)


def _check_taken(task: Task, **given: Any) -> None:
    """Raise a ValueError for an input that the task does not use."""
    for name, value in given.items():
        if value is None or (name == "guides" and not value) or name in {i.name for i in task.inputs}:
            continue
        others = [other for other in TASKS if name in {i.name for i in TASKS.get(other).inputs}]
        raise ValueError(
            f"Expected no {name} for the task {task.name!r}, which makes no use of any: leave out {name}=, "
            f"or choose a task that does ({', '.join(others)})."
        )
