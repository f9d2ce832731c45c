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
    """Properties of a problem, without its data, by which a method decides whether it can solve it."""

    n_observations: int = 1
    n_sources: int = 2
    n_guides: int = 0
    has_hints: bool = False
    mixing: str = "linear"


@dataclass(frozen=True)
class Problem:
    """Inverse problem ``observations = mixing(sources)`` with its side information.

    Parameters
    ----------
    observations : Tensor of shape (M, C, H, W)
        float32 in [0, 1]; missing pixels hold the values of their nearest valid neighbours.
    n_sources : int
        K >= 1; 1 for denoising, inpainting and dehazing.
    mixing : Mixing
        The forward model. Under `Linear` sources are shares (they add up to the observation), under
        `Weighted` whole images.
    guides : tuple of Tensor (1, C_g, H, W) or None
        One entry a source, or empty: a registered image of that source in another modality, in [0, 1].
    hints : Tensor of shape (K, 1, H, W), optional
        1 where a hint assigns edges or areas to source k, else 0.
    valid : Tensor of shape (1, 1, H, W), optional
        bool, False where pixels are missing; None if no pixel is missing.
    scaling : Scaling
        Conversion from the image's units to the observations' scale.
    density_of : float, optional
        I0 if the observations are optical densities of an intensity image; else None.
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
                f"Expected one guide (or None) for each of the {self.n_sources} sources, got "
                f"{len(self.guides)}."
            )
        named = [(f"guide {k + 1}", g) for k, g in enumerate(self.guides)]
        marks = [("hints", self.hints), ("valid", self.valid)]
        for what, tensor in [*named, *marks]:
            if tensor is not None and tuple(tensor.shape[-2:]) != size:
                raise ValueError(f"Expected {what} of {size} pixels (Y, X), got {tuple(tensor.shape[-2:])}.")

    @property
    def traits(self) -> Traits:
        """Return the properties by which methods decide whether they can solve this problem."""
        return Traits(
            n_observations=len(self.observations),
            n_sources=self.n_sources,
            n_guides=sum(g is not None for g in self.guides),
            has_hints=self.hints is not None,
            mixing=self.mixing.name,
        )

    def map_images(self, change: Callable[[Tensor], Tensor]) -> Problem:
        """Apply `change` (N, C, H, W) -> (N, C, H', W') to observations, guides, hints and `valid`.

        Masks are passed as float32, and results above 0.5 count as True.
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
    """Complete state of a run; methods extend it with networks, optimiser, ADMM variables, generator.

    Parameters
    ----------
    problem : Problem
        Problem, on the device of the run.
    step : int
        Number of finished iterations.
    has_start : bool
        True if `Method.solution` returns an estimate before the first iteration: the closed form that
        networks refine.
    notices : list of Notice
        Notices for the user about the result; they become its warnings.
    share : float
        Fraction of the planned iterations to run: below 1 if a slice of a stack starts from the previous one.
    """

    problem: Problem
    step: int = 0
    has_start: bool = False
    notices: list[Notice] = field(default_factory=list)
    share: float = 1.0


class Iteration:
    """One step of a run, as `iter_separate` yields it.

    Losses and outputs are copied from the device only when they are read. Read them before the next step:
    later they would belong to another one.

    Attributes
    ----------
    step : int
        Number of finished iterations, from 1; 0 for the closed-form start.
    total : int
        Number of planned iterations.
    elapsed : float
        Seconds since the start of the run.
    plane : int
        Index of the slice in a stack, 0 for single images.
    stage : Stage or None
        Next stage of a long iteration, if the method reports stages; None after an iteration.
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
        """Return the loss terms by name, dimensionless."""
        return {name: float(value) for name, value in self._losses.items()}

    @property
    def outputs(self) -> dict[str, Output]:
        """Return the current named outputs, as in `Result.outputs`: detached arrays on the host.

        Before the method has started, while another one goes first, there are none.
        """
        if self._outputs is None:
            self._outputs = self._fetch()
        return self._outputs

    def __repr__(self) -> str:
        return f"Iteration({self.step}/{self.total}, {self.elapsed:.1f} s)"
