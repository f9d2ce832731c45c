"""Parts of a long computation, told one by one, so that whoever runs it can show them and can stop between them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

R = TypeVar("R")


@dataclass(frozen=True)
class Stage:
    """What a computation turns to next.

    Parameters
    ----------
    name : str
        As people read it: ``"fit, round 2 of 4"``.
    better : bool
        Whether the answer so far has become better since the last stage was told: it is worth showing.
    """

    name: str
    better: bool = False


Stages = Generator[Stage, None, R]
"""A computation that tells its stages and returns its result."""


def exhaust(computation: Generator[Any, None, R]) -> R:
    """Run a computation to its end and return its result; its stages are not told to anyone."""
    while True:
        try:
            next(computation)
        except StopIteration as end:
            result: R = end.value
            return result


def without_stages(steps: Iterable[Stage | dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """Yield the losses of every iteration and leave out the stages between them."""
    return (losses for losses in steps if not isinstance(losses, Stage))
