"""What users want: the `Task` contract and its registry. A new task is one file in this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from numpy.typing import NDArray

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Input:
    """One input that a task's form, command and function ask for.

    Parameters
    ----------
    name : str
        ``"mixture"``, ``"guides"``, ``"hints"`` or ``"mask"``: the field of `Inputs` it fills.
    title, description : str
        As shown to people.
    required : bool
        Whether the task cannot run without it.
    many : bool
        Whether it takes several images (one a source for guides, one an observation for mixtures).
    least : int
        Of several mixtures, the fewest that will do: 2, or 1 where a single image is welcome as well.
    """

    name: str
    title: str
    description: str
    required: bool = True
    many: bool = False
    least: int = 2


@dataclass(frozen=True)
class Inputs:
    """The arrays of one run, for one plane.

    Parameters
    ----------
    mixture : ndarray
        The observed image, (Y, X) or (Y, X, C); for several mixtures (M, Y, X) or (M, Y, X, C).
    guides : sequence of ndarray or None
        One (Y, X) or (Y, X, C) image a source, or None; empty if there is none.
    hints : ndarray of shape (Y, X), optional
        Integers: k where pixels belong to source k (from 1), 0 where nothing is said.
    mask : ndarray of shape (Y, X), optional
        True where the mixture's pixels are to be left out, or, for a task that fills them, are missing.
    """

    mixture: NDArray
    guides: Sequence[NDArray | None] = field(default=())
    hints: NDArray | None = None
    mask: NDArray | None = None


@dataclass(frozen=True)
class Built:
    """All that `Task.outputs` needs of one plane.

    Parameters
    ----------
    problem : Problem
        What is to be solved.
    observed : ndarray
        What the outputs are compared with: the mixture's values in its own units, (Y, X[, C]) or (M, Y, X[, C]), without
        opacity, and as the problem sees them otherwise (freed of dark and flat frames, moved onto the first mixture).
    """

    problem: Problem
    observed: NDArray


class Task(Protocol):
    """Turns inputs into a `Problem` and a method's answer into named outputs; keeps nothing but its settings."""

    name: ClassVar[str]
    title: ClassVar[str]  # as shown in menus, the user's words: "An X-ray with photographs"
    summary: ClassVar[str]
    Config: ClassVar[type[BaseConfig]]
    inputs: ClassVar[tuple[Input, ...]]
    output_names: ClassVar[tuple[str, ...]]  # all that `outputs` may name, "#" for a number: "source_#"

    def __init__(self, config: Any) -> None: ...

    @property
    def config(self) -> BaseConfig:
        """The settings it was made with, a `Config`."""

    def traits(self, *, n_observations: int, n_guides: int, has_hints: bool) -> Traits:
        """What the problem will look like, so that forms can offer the methods that fit; loads no torch."""

    def default_method(self, traits: Traits) -> str:
        """Name of the method used for ``method="auto"``."""

    def build(self, inputs: Inputs) -> Built:
        """Check the inputs and state the problem.

        Raises
        ------
        TypeError, ValueError
            What was expected, what came, what to do; before any long work.
        """

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, NDArray]:
        """Name the answer's images and bring them back to the mixture's units and layout.

        Sources come as ``"source_1"`` …; tasks whose sources add up to the mixture also return
        ``"residual"``: the mixture minus their sum. Images are float32 and NaN where pixels are missing; integers are labels,
        0 there.
        """


def own_input(task: str, output: str) -> tuple[str, int] | None:
    """Return to which of several mixtures, counted from 0, an output belongs and its name there; None if to all.

    A task's class says so with ``of_each_mixture = ("clean",)``: then ``clean_2`` is the second one's ``clean``.
    """
    name, _, number = output.rpartition("_")
    if name in getattr(TASKS.get(task), "of_each_mixture", ()) and number.isdigit():
        return name, int(number) - 1
    return None


TASKS: Registry[type[Task]] = Registry("task", __name__, "napari_bitsnet.tasks")
