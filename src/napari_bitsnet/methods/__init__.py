"""How problems are solved: the `Method` contract and its registry. A new method is one file in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.stages import Stage
    from napari_bitsnet.methods.stopping import StoppingRule


S = TypeVar("S", bound=State)
"""The state that a method extends."""


class Method(Protocol[S]):
    """A way to solve a `Problem`.

    One that looks at hints also has ``take_hints(state, hints: Tensor | None) -> None``: go on with other ones, (K, 1,
    H, W) on the device, or with none. For those without, shares are given to the named source afterwards (`Obeying`); one
    that has ``reads_hints = True`` is started again first, and so is one whose sources are no shares.

    One whose answer depends on the seed has ``seeded = True``: the answers of several seeds can be averaged.

    One whose iteration takes long may be `Staged`.

    One that knows other answers, too, has ``candidates(state) -> list[Tensor]``: other ``"sources"``, the likeliest first.

    Building one (``METHODS.get(name)(config)``), its presets and `supports` load no torch; torch is imported
    inside `start`, `advance` and `answer`.
    """

    name: ClassVar[str]
    title: ClassVar[str]  # as shown in menus
    summary: ClassVar[str]  # one sentence: when to use it
    Config: ClassVar[type[BaseConfig]]
    presets: ClassVar[dict[str, BaseConfig]]  # every method has "quick", "balanced" and "best"
    full_resolution: ClassVar[bool]  # True: takes images of any size; False: works at a size limit

    def __init__(self, config: Any) -> None: ...

    @property
    def config(self) -> BaseConfig:
        """The settings it was made with, a `Config`."""

    @property
    def iterations(self) -> int:
        """Iterations planned by default; 1 for closed forms."""

    def supports(self, traits: Traits) -> str | None:
        """Return None if it can solve such a problem, else one sentence that says why not."""

    def start(self, problem: Problem, *, device: str, seed: int) -> S:
        """Return the state before the first iteration, on `device`, with all randomness from `seed`."""

    def advance(self, state: S) -> Iterator[dict[str, Tensor]]:
        """Advance `state` in place, one iteration at a time, yielding its loss terms (on the device).

        Methods with networks never end by themselves; closed forms end when they are done. A generator made
        from a state that has been advanced goes on from there.
        """

    def answer(self, state: S) -> dict[str, Tensor]:
        """Return the answer so far by the method's own truth-free choice.

        ``"sources"`` (K, C, H, W): shares under `Linear` mixing, whole images under `Weighted`. More by the
        method: ``"explained"`` (K, C, H, W) and ``"unexplained"`` (1, C, H, W) for guided ones,
        ``"weights"`` (M, K) where they were estimated; ``"uncertainty"`` (1, C, H, W), the half width of the sources' 90 %
        interval, where it is known.
        """

    def stopping(self) -> StoppingRule | None:
        """Return a fresh rule that ends the run early, or None."""


class Staged(Protocol[S]):
    """What a method may have besides: it tells what a long iteration turns to, and can be stopped in between."""

    def stages(self, state: S) -> Iterator[Stage | dict[str, Tensor]]:
        """Advance `state` as `Method.advance` does, with a `Stage` before each part of an iteration.

        After a stage the generator may be left: `Method.answer` then returns the best there is. Where there is nothing before
        the first iteration is done, ``state.has_start`` stays False, and stop requests wait until it is True. A generator made
        from a state that was left between two stages begins the iteration anew. An iteration's result, bit for bit, does not
        depend on whether anybody looks at the stages.
        """


class WarmStart(Protocol[S]):
    """What a method may have besides: going through a stack, it starts a slice from the one before."""

    def start_after(self, problem: Problem, previous: S, *, device: str, seed: int) -> S:
        """Return the state before the first iteration, as `Method.start`, with what `previous` knows."""


METHODS: Registry[type[Method[Any]]] = Registry("method", __name__, "napari_bitsnet.methods", families=True)
