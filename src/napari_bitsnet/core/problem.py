"""The records that all other parts exchange: Problem, Traits, State, Iteration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.images import Scaling
from napari_bitsnet.core.mixing import Linear, Mixing

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.notices import Notice
    from napari_bitsnet.core.outputs import Output
    from napari_bitsnet.core.stages import Stage


@dataclass(frozen=True)
class Traits:
    """What a method needs to know to say whether it can solve a problem; made without loading anything."""

    n_observations: int = 1
    n_sources: int = 2
    n_guides: int = 0
    has_hints: bool = False
    mixing: str = "linear"


@dataclass(frozen=True)
class Problem:
    """What is to be explained: ``observations = mixing(sources)``.

    Parameters
    ----------
    observations : Tensor of shape (M, C, H, W)
        float32 in [0, 1]; missing pixels are filled with their nearest valid neighbour's values.
    n_sources : int
        K >= 1; one source where what is unknown beside it is noise, missing pixels or haze.
    mixing : Mixing
        The forward model. Under `Linear` sources are shares (they add up to the observation), under
        `Weighted` whole images.
    guides : tuple of Tensor (1, C_g, H, W) or None
        One entry a source, or empty: a registered image of that source in another modality, in [0, 1].
    hints : Tensor of shape (K, 1, H, W), optional
        1 where a person says that edges or areas belong to source k, else 0.
    valid : Tensor of shape (1, 1, H, W), optional
        bool, False where pixels are missing; None if none is.
    scaling : Scaling
        How the observations came from the image's own units.
    density_of : float, optional
        I0 where the observations are optical densities of an intensity image; None otherwise.
    """

    observations: Tensor
    n_sources: int = 2
    mixing: Mixing = field(default_factory=Linear)
    guides: tuple[Tensor | None, ...] = ()
    hints: Tensor | None = None
    valid: Tensor | None = None
    scaling: Scaling = field(default_factory=Scaling)
    density_of: float | None = None

    def __post_init__(self) -> None:
        if self.observations.ndim != 4:
            raise ValueError(
                f"Expected observations (M, C, H, W), got shape {tuple(self.observations.shape)}."
            )
        if self.n_sources < 1:
            raise ValueError(f"Expected at least 1 source, got {self.n_sources}.")
        size = tuple(self.observations.shape[-2:])
        if self.guides and len(self.guides) != self.n_sources:
            raise ValueError(
                f"Expected one guide (or None) for each of the {self.n_sources} sources, got {len(self.guides)}."
            )
        named = [(f"guide {k + 1}", g) for k, g in enumerate(self.guides)]
        marks = [("hints", self.hints), ("valid", self.valid)]
        for what, tensor in [*named, *marks]:
            if tensor is not None and tuple(tensor.shape[-2:]) != size:
                raise ValueError(f"Expected {what} of {size} pixels (Y, X), got {tuple(tensor.shape[-2:])}.")

    @property
    def traits(self) -> Traits:
        """What methods look at to say whether they can solve this."""
        return Traits(
            n_observations=len(self.observations),
            n_sources=self.n_sources,
            n_guides=sum(g is not None for g in self.guides),
            has_hints=self.hints is not None,
            mixing=self.mixing.name,
        )

    def map_images(self, change: Callable[[Tensor], Tensor]) -> Problem:
        """Apply `change` (N, C, H, W) -> (N, C, H', W') to observations, guides, hints and `valid`.

        A mask goes through as float32 and counts as set above one half.
        """
        return replace(
            self,
            observations=change(self.observations),
            guides=tuple(None if g is None else change(g) for g in self.guides),
            hints=None if self.hints is None else change(self.hints),
            valid=None if self.valid is None else change(self.valid.float()) > 0.5,
        )

    def to(self, device: str) -> Problem:
        """Return the problem with all tensors on `device`."""
        moved = replace(
            self,
            observations=self.observations.to(device),
            guides=tuple(None if g is None else g.to(device) for g in self.guides),
            hints=None if self.hints is None else self.hints.to(device),
            valid=None if self.valid is None else self.valid.to(device),
        )
        return moved


@dataclass
class State:
    """All that is needed to go on; methods extend it with networks, optimiser, ADMM variables, generator.

    Parameters
    ----------
    problem : Problem
        On the device of the run.
    step : int
        Iterations done.
    has_start : bool
        Whether `Method.solution` has something to show before the first iteration: the closed form that
        networks refine from.
    notices : list of Notice
        What the user should know before trusting the answer: they become warnings of the result.
    share : float
        Part of the planned iterations that it takes: less than 1 where a slice of a stack goes on from the
        one before.
    """

    problem: Problem
    step: int = 0
    has_start: bool = False
    notices: list[Notice] = field(default_factory=list)
    share: float = 1.0


class Iteration:
    """One step of a run, as `iter_separate` yields it.

    Losses and outputs are fetched from the device only when they are looked at, so a step costs no copy to
    the host by itself. Look before the next step: afterwards they would belong to another one.

    Attributes
    ----------
    step : int
        Iterations done, from 1; 0 for the closed-form start.
    total : int
        Iterations planned.
    elapsed : float
        Seconds since the run began.
    plane : int
        Index of the slice in a stack, 0 for single images.
    stage : Stage or None
        What a long iteration turns to next, where the method tells its stages; None once an iteration is
        done.
    """

    def __init__(
        self,
        step: int,
        total: int,
        elapsed: float,
        losses: Mapping[str, Any],
        fetch: Callable[[], dict[str, Output]],
        plane: int = 0,
        stage: Stage | None = None,
    ) -> None:
        self.step, self.total, self.elapsed, self.plane = step, total, elapsed, plane
        self.stage = stage
        self._losses, self._fetch = losses, fetch
        self._outputs: dict[str, Output] | None = None

    @property
    def losses(self) -> dict[str, float]:
        """Loss terms by name, dimensionless."""
        return {name: float(value) for name, value in self._losses.items()}

    @property
    def outputs(self) -> dict[str, Output]:
        """The named outputs so far, as in `Result.outputs`: detached arrays on the host."""
        if self._outputs is None:
            self._outputs = self._fetch()
        return self._outputs

    def __repr__(self) -> str:
        return f"Iteration({self.step}/{self.total}, {self.elapsed:.1f} s)"
