"""Parts of a long computation, told one by one, so that whoever runs it can show them and can stop between
them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

R = TypeVar("R")
P = TypeVar("P")
T = TypeVar("T")


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


Stages = Generator[Stage, bool | None, R]
"""A computation that tells its stages and returns its result.

Who looks at the stages may send True at one, instead of going on with ``next``: what there is by then is
enough, and the computation comes to an end as soon as it has something to return. Most computations take no
notice, and are left instead.
"""


@dataclass(frozen=True)
class Partial:
    """An image of which a part has been worked on.

    Parameters
    ----------
    done : float
        That part, in [0, 1].
    image : callable
        Returns the image so far (1, C, H, W); where no work has been done, as it was.
    """

    done: float
    image: Callable[[], Tensor]


def exhaust(computation: Generator[Any, Any, R]) -> R:
    """Run a computation to its end and return its result; its stages are not told to anyone."""
    while True:
        try:
            next(computation)
        except StopIteration as end:
            result: R = end.value
            return result


def telling(computation: Generator[P, Any, R], tell: Callable[[P], T]) -> Generator[T, bool | None, R]:
    """Run a computation to its end, and tell each of its parts in other words; answers are passed on to it.

    Parameters
    ----------
    computation : generator
        Yields its parts and returns its result.
    tell : callable
        Makes of each part what is yielded in its place.
    """
    answer: bool | None = None
    while True:
        try:
            part = computation.send(answer)
        except StopIteration as end:
            result: R = end.value
            return result
        answer = yield tell(part)


def named(name: str, stages: Stages[R]) -> Stages[R]:
    """Put a name in front of each stage of a computation: ``"fit"`` makes ``"fit, round 2 of 4"``."""
    return telling(stages, lambda stage: Stage(f"{name}, {stage.name}", stage.better))


def without_stages(steps: Iterable[Stage | dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """Yield the losses of every iteration and leave out the stages between them."""
    return (losses for losses in steps if not isinstance(losses, Stage))
