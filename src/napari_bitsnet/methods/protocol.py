"""The contract of methods: `Method`, and `BaseMethod` with default abilities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import exhaust, without_stages

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_bitsnet.core.displacement import Window
    from napari_bitsnet.core.notices import Notice
    from napari_bitsnet.core.stages import Stage, Stages

S = TypeVar("S", bound=State)
"""The state that a method extends."""
Answer: TypeAlias = "dict[str, Tensor]"
"""Answer of a method.

``"sources"`` (K, C, H, W): shares under `Linear` mixing, whole images under `Weighted`. Further entries by
method: ``"explained"`` (K, C, H, W) and ``"unexplained"`` (1, C, H, W) with guides; ``"weights"`` (M, K)
where they were estimated; ``"uncertainty"`` (1, C, H, W), the half width of the 90 % interval of the sources;
``"confidence"`` (1, 1, H, W) in [0, 1].
"""


@dataclass(frozen=True)
class Cost:
    """Time and memory of a method on one core of a CPU, measured at 256 × 256 and 512 × 512 pixels.

    Parameters
    ----------
    fixed : float
        Seconds that do not depend on the size.
    step : float
        Seconds of an iteration (of all iterations for closed forms) for each megapixel and source.
    memory : float, optional
        MiB for each megapixel and source; None if it was not measured.
    start : float
        Seconds of the start by another method, for each megapixel and source.
    """

    fixed: float
    step: float
    memory: float | None = None
    start: float = 0.0


class StoppingRule(Protocol):
    """Decides after each answer whether the run ends, with its own memory of the run."""

    def update(self, sources: Tensor) -> bool:
        """Return True to stop, given the sources (K, C, H, W) after an iteration."""


class Enlarged(Protocol):
    """Answers window by window. It is sent to other processes, and does not hold the images."""

    def __call__(self, observation: Tensor, window: Window) -> Answer:
        """Return the answer of a window of the observation, (1, C, h, w); the same for each pixel, whatever
        the window."""


class Method(Protocol[S]):
    """A way to solve a `Problem`.

    The constructor (``METHODS.get(name)(config)``), the presets and `unsupported_reason` load no torch;
    `start`, `advance` and `solution` import it.
    """

    name: str
    title: str
    """Name in menus."""
    summary: str
    """One sentence that says when to use the method."""
    Config: type[BaseConfig]
    presets: Mapping[str, BaseConfig]
    """Settings by name; every method has "quick", "balanced" and "best"."""
    config: BaseConfig
    """Settings of this instance, a `Config`."""
    full_resolution: bool
    """Whether the method takes images of any size; others run at a working size (`WorkingSize`)."""
    seeded: bool
    """Whether the answer depends on the seed, so that the answers of several seeds can be averaged
    (`AveragedSeeds`)."""
    reads_hints: bool
    """Whether the start reads the hints, so that other hints need a new start."""
    updates_hints: bool
    """Whether a run can go on with other hints (`update_hints`); others are wrapped where that is possible
    (`Obeying`)."""
    cost: Cost | None
    """Time and memory; None if they were not measured."""

    @property
    def iterations(self) -> int:
        """Return the default number of iterations; 1 for closed forms."""

    @abstractmethod
    def unsupported_reason(self, traits: Traits) -> str | None:
        """Return None if the method can solve such a problem, else one sentence with the reason."""

    @abstractmethod
    def start(self, problem: Problem, *, device: str, seed: int) -> S:
        """Return the state before the first iteration, on `device`, with all randomness from `seed`."""

    def warm_start(self, problem: Problem, previous: S, *, device: str, seed: int) -> S:
        """Return the state before the first iteration on a slice of a stack, given the state of the previous
        slice."""

    def starting(self, problem: Problem, previous: S | None, *, device: str, seed: int) -> Stages[S]:
        """Do what `start` does, or `warm_start` from the slice before, with a `Stage` before each part that
        takes long.

        Where another method goes first, True that is sent at a stage ends that one as soon as it has
        something: the state then starts from it. The state is the same, bit for bit, whether anybody looks at
        the stages.
        """

    @abstractmethod
    def advance(self, state: S) -> Iterator[dict[str, Tensor]]:
        """Advance `state` in place, one iteration at a time, yielding its loss terms (on the device).

        Methods with networks never end by themselves; closed forms end when they are done. A generator made
        from a state that has been advanced goes on from there.
        """

    def stages(self, state: S) -> Iterator[Stage | dict[str, Tensor]]:
        """Advance `state` as `advance` does, with a `Stage` before each part of a long iteration.

        After a stage the generator may be left: `solution` then returns the best there is. Where there is
        nothing before the first iteration is done, ``state.has_start`` stays False, and stop requests wait
        until it is True. A generator made from a state that was left between two stages begins the iteration
        anew. An iteration's result, bit for bit, does not depend on whether anybody looks at the stages.
        """

    def update_hints(self, state: S, hints: Tensor | None) -> None:
        """Continue with new hints, (K, 1, H, W) on the device, or without hints."""

    @abstractmethod
    def solution(self, state: S) -> Answer:
        """Return the answer so far, which the method chooses without the truth."""

    def alternatives(self, state: S) -> list[Tensor]:
        """Return alternative ``"sources"`` that fit the problem as well, the most likely first."""

    def source_kinds(self, state: S) -> tuple[str, ...]:
        """Return what each source shows, for the captions of the outputs; empty where this is not known."""

    def doubtful_below(self, state: S) -> float:
        """Return the mean ``"confidence"`` below which the answer is called doubtful."""

    def enlarged(self, state: S, problem: Problem, factor: int) -> Enlarged | None:
        """Return the answer of the whole of an image that was solved at reduced size, window by window.

        Parameters
        ----------
        state : State
            Finished, of the image at reduced size.
        problem : Problem
            At full size, with a `LargeImage` in the place of each tensor.
        factor : int
            Pixels of the full size along a side of one at reduced size.

        Returns
        -------
        Enlarged or None
            None if the method cannot do it.
        """

    def stopping(self) -> StoppingRule | None:
        """Return a fresh rule that ends the run early, or None."""


class BaseMethod(Method[S]):
    """Base of methods that define `unsupported_reason`, `start`, `advance` and `solution`. By default the
    method is a closed form in one iteration, at any size, without seeds and hints.

    Parameters
    ----------
    config : Config, optional
        Settings; default the method's own defaults.
    """

    full_resolution = True
    seeded = False
    reads_hints = False
    updates_hints = False
    cost: Cost | None = None
    config: Any

    def __init__(self, config: Any = None) -> None:
        self.config = config or self.Config()

    @property
    def iterations(self) -> int:
        """See `Method.iterations`: one."""
        return 1

    def warm_start(self, problem: Problem, previous: S, *, device: str, seed: int) -> S:
        """See `Method.warm_start`: nothing is reused."""
        return self.start(problem, device=device, seed=seed)

    def starting(self, problem: Problem, previous: S | None, *, device: str, seed: int) -> Stages[S]:
        """See `Method.starting`: the start is short and has no stages."""
        yield from ()
        if previous is None:
            return self.start(problem, device=device, seed=seed)
        return self.warm_start(problem, previous, device=device, seed=seed)

    def stages(self, state: S) -> Iterator[Stage | dict[str, Tensor]]:
        """See `Method.stages`: iterations are short and have no stages."""
        return self.advance(state)

    def update_hints(self, state: S, hints: Tensor | None) -> None:
        """See `Method.update_hints`.

        Raises
        ------
        TypeError
            If the method has ``updates_hints = False``.
        """
        raise TypeError(f"Expected a method that goes on with other hints, got {self.name}: start it again.")

    def alternatives(self, state: S) -> list[Tensor]:
        """See `Method.alternatives`: there are none."""
        return []

    def source_kinds(self, state: S) -> tuple[str, ...]:
        """See `Method.source_kinds`: it does not know."""
        return ()

    def doubtful_below(self, state: S) -> float:
        """See `Method.doubtful_below`: no answer is doubtful."""
        return 0.0

    def enlarged(self, state: S, problem: Problem, factor: int) -> Enlarged | None:
        """See `Method.enlarged`: it cannot do it."""
        return None

    def stopping(self) -> StoppingRule | None:
        """See `Method.stopping`: closed forms end by themselves."""
        return None

    @classmethod
    def recommendation(cls, mixture: NDArray, traits: Traits) -> Notice | None:
        """Return a notice that recommends this method for an image that another one has separated, or None.

        Parameters
        ----------
        mixture : array of shape (Y, X[, C])
            The observed image.
        traits : Traits
            Traits of the problem.
        """
        return None


class StagedStart(BaseMethod[S]):
    """Base of methods whose start is long: they define `starting` instead of `start` and `warm_start`."""

    @abstractmethod
    def starting(self, problem: Problem, previous: S | None, *, device: str, seed: int) -> Stages[S]: ...

    def start(self, problem: Problem, *, device: str, seed: int) -> S:
        return exhaust(self.starting(problem, None, device=device, seed=seed))

    def warm_start(self, problem: Problem, previous: S, *, device: str, seed: int) -> S:
        return exhaust(self.starting(problem, previous, device=device, seed=seed))


class StagedMethod(BaseMethod[S]):
    """Base of methods whose iterations are long: they define `iterating` in the place of `advance`."""

    @abstractmethod
    def iterating(self, state: S) -> Stages[dict[str, Tensor] | None]:
        """Make one iteration, tell its stages, and return the losses, or None if nothing is left to do;
        gradients are not recorded."""

    def advance(self, state: S) -> Iterator[dict[str, Tensor]]:
        return without_stages(self.stages(state))

    def stages(self, state: S) -> Iterator[Stage | dict[str, Tensor]]:
        """See `Method.stages`: those of each iteration."""
        import torch

        while state.step < self.iterations:
            # around the generator, not inside: consumers of the stages may need gradients
            losses = yield from torch.no_grad()(self.iterating)(state)
            if losses is None:
                return
            state.step += 1
            yield losses
