"""The `Task` contract and the registry of tasks. A new task is one file in this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.encoding import Transfer
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.outputs import Output, OutputSpec, Units
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Input:
    """Input of a task, from which its form, command and function are generated.

    Parameters
    ----------
    name : str
        ``"mixture"``, ``"guides"``, ``"hints"`` or ``"mask"``: the field of `Inputs` it fills.
    title, description : str
        Texts for the user.
    required : bool
        True if the task cannot run without it.
    many : bool
        True if it takes several images (one per source for guides, one per observation for mixtures).
    least : int
        Smallest number of mixtures: 2, or 1 if the task also accepts a single image.
    """

    name: str
    title: str
    description: str
    required: bool = True
    many: bool = False
    least: int = 2


@dataclass(frozen=True)
class Inputs:
    """Arrays of a run, for one plane.

    Parameters
    ----------
    mixture : ndarray
        The observed image, (Y, X) or (Y, X, C); for several mixtures (M, Y, X) or (M, Y, X, C).
    guides : sequence of ndarray or None
        One (Y, X) or (Y, X, C) image per source, or None; empty without guides.
    hints : ndarray of shape (Y, X), optional
        Integers: k where pixels belong to source k (from 1), 0 where nothing is marked.
    mask : ndarray of shape (Y, X), optional
        True where the mixture's pixels are excluded, or, for inpainting, are missing.
    stored : dtype, optional
        Stored type of an integer mixture that was converted to float to hold missing pixels (NaN).
    """

    mixture: NDArray
    guides: Sequence[NDArray | None] = field(default=())
    hints: NDArray | None = None
    mask: NDArray | None = None
    stored: np.dtype | None = None

    @property
    def dtype(self) -> np.dtype:
        """Return the type in which the mixture is stored; its range defines white and saturation."""
        return np.asarray(self.mixture).dtype if self.stored is None else self.stored


@dataclass(frozen=True)
class Built:
    """Everything that `Task.outputs` needs for one plane.

    Parameters
    ----------
    problem : Problem
        Problem to solve.
    observed : ndarray
        What the outputs are compared with: the mixture's values in its own units, (Y, X[, C]) or (M, Y, X[,
        C]), without opacity, and as the problem sees them otherwise (freed of dark and flat frames, moved
        onto the first mixture).
    notices : sequence of Notice
        Notices for the user about the inputs.
    transfer : Transfer
        Conversion between the mixture's stored values and the light that the problem states.
    """

    problem: Problem
    observed: NDArray
    notices: Sequence[Notice] = ()
    transfer: Transfer = field(default_factory=Transfer)


class Task(Protocol):
    """Turns inputs into a `Problem` and a method's answer into named outputs; keeps nothing but its
    settings."""

    name: ClassVar[str]
    title: ClassVar[str]  # shown in menus, in the user's words: "An X-ray with photographs"
    summary: ClassVar[str]
    validated_on: ClassVar[str]  # images on which the scores of the documentation were measured
    Config: ClassVar[type[BaseConfig]]
    inputs: ClassVar[tuple[Input, ...]]
    output_specs: ClassVar[tuple[OutputSpec, ...]]  # all that `outputs` may return
    config: BaseConfig  # the settings, a `Config`

    def __init__(self, config: Any) -> None: ...

    def traits(self, *, n_observations: int, n_guides: int, has_hints: bool) -> Traits:
        """Return the properties of the problem, by which forms offer the methods that fit; loads no torch."""

    def default_method(self, traits: Traits) -> str:
        """Return the name of the method for ``method="auto"``."""

    def build(self, inputs: Inputs) -> Built:
        """Check the inputs and state the problem.

        Raises
        ------
        TypeError, ValueError
            If an input cannot be used; raised before any long computation.
        """

    @property
    def units(self) -> Units:
        """Return the units of sources, parts, whole images and differences."""

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """Name the answer's images and bring them back to the mixture's units and layout; see `describe`.

        Sources come as ``"source_1"`` …; tasks whose sources add up to the mixture also return
        ``"residual"``: the mixture minus their sum. Images are float32 and NaN where pixels are missing;
        integers are labels, 0 there.
        """

    def for_stack(self, planes: Slices) -> tuple[Self, list[Notice]]:
        """Return the task with settings shared by all slices of a stack, and notices; it may read every
        slice."""

    def notices(self, built: Built, inputs: Inputs, outputs: Mapping[str, Output]) -> list[Notice]:
        """Return notices for the user about the outputs of one plane."""

    def advice(self, inputs: Inputs) -> list[Notice]:
        """Return what a check of the inputs of one plane adds to the notices of a run; it may take
        seconds."""

    def scorable(
        self,
        mixture: NDArray,
        sources: NDArray,
        truths: NDArray,
        i0: float | None,
        stored: np.dtype | None = None,
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Return one plane's mixture, sources and truths (K, Y, X[, C]) on the scale on which sources add up.

        Parameters
        ----------
        mixture : ndarray of shape (Y, X[, C]) or (M, Y, X[, C])
            Mixture as passed by the user.
        sources, truths : ndarray of shape (K, Y, X[, C])
            In the units of the outputs, float64.
        i0 : float or None
            I0 of the run under attenuation.
        stored : dtype, optional
            Type in which the mixture is stored; its largest value is saturated.

        Raises
        ------
        ValueError
            If the sources are on another scale than the mixture.
        """


class Slices(Protocol):
    """Slices of a stack, each (Y, X[, C]) or (M, Y, X[, C]), read on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> NDArray: ...


class BaseTask(Task):
    """Base task without notices of its own, whose outputs are in the mixture's units."""

    validated_on: ClassVar[str] = ""  # not stated
    Config: ClassVar[type[BaseConfig]]
    method: ClassVar[str]  # for ``method="auto"``, whatever the problem; others define `default_method`

    def __init__(self, config: Any = None) -> None:
        self.config = config or self.Config()

    def default_method(self, traits: Traits) -> str:
        """See `Task.default_method`: always the same one."""
        return self.method

    @property
    def units(self) -> Units:
        return "mixture"

    def for_stack(self, planes: Slices) -> tuple[Self, list[Notice]]:
        """See `Task.for_stack`: slices share no settings."""
        return self, []

    def notices(self, built: Built, inputs: Inputs, outputs: Mapping[str, Output]) -> list[Notice]:
        """See `Task.notices`: there are none."""
        return []

    def advice(self, inputs: Inputs) -> list[Notice]:
        """See `Task.advice`: there is none."""
        return []

    def scorable(
        self,
        mixture: NDArray,
        sources: NDArray,
        truths: NDArray,
        i0: float | None,
        stored: np.dtype | None = None,
    ) -> tuple[NDArray, NDArray, NDArray]:
        """See `Task.scorable`: sources add up in the mixture's units."""
        return mixture, sources, truths


TASKS: Registry[type[Task]] = Registry("task", __name__, "napari_bitsnet.tasks")
