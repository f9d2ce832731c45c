"""What a run returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_bitsnet.api.runner import Session


@dataclass(repr=False)
class Result:
    """Named outputs, what they mean, and how to get them again.

    Attributes
    ----------
    outputs : dict of str to ndarray
        float32, in the mixture's units and layout: ``source_1`` …, and by the task ``residual``,
        ``explained_1`` …, ``unexplained``, ``weights``. Missing pixels are NaN. Integers are labels, 0 where pixels are missing.
    provenance : dict
        Ready for JSON: versions, task, method, every setting, seed, device, threads, iterations, stop
        reason, seconds, final losses, warnings. ``provenance["settings"]`` is a `RunSettings` record.
    warnings : tuple of str
        What the user should know before trusting the result.
    state : Session or None
        What `resume` goes on from; `drop_state` gives its memory back.
    """

    outputs: dict[str, NDArray]
    provenance: dict[str, Any]
    warnings: tuple[str, ...] = ()
    state: Session | None = field(default=None, repr=False)
    _candidates: tuple[NDArray, ...] | None = field(default=None, init=False, repr=False)

    def __repr__(self) -> str:
        made = self.provenance
        lines = [
            f"Result of {made['task']} by {made['method']} ({made['preset']}), "
            f"{made['iterations']} iterations, {made['seconds']} s",
            *(f"  {name}: {value.dtype} {value.shape}" for name, value in self.outputs.items()),
            *(f"  warning: {text}" for text in self.warnings),
        ]
        return "\n".join(lines)

    @property
    def sources(self) -> NDArray:
        """The sources, ``(K, *mixture.shape)``, float32."""
        names = [name for name in self.outputs if name.startswith("source_")]
        return np.stack([self.outputs[name] for name in names])

    @property
    def residual(self) -> NDArray:
        """The mixture minus what the sources explain, in the mixture's units."""
        return self.outputs["residual"]

    @property
    def candidates(self) -> tuple[NDArray, ...]:
        """Other sources ``(K, *mixture.shape)`` that the mixture may consist of, the likeliest first, in its units.

        The answer itself is not among them. Most methods know none, nor are there any for stacks. They are made from the
        state when they are first asked for, so none are left to make after `drop_state`.
        """
        if self._candidates is None:
            self._candidates = () if self.state is None else self.state.candidates()
        return self._candidates

    def choose(self, candidate: int) -> Result:
        """Return the result with another one of its splits as its sources.

        Parameters
        ----------
        candidate : int
            Its number among `candidates`, from 1; 0 is the answer itself.

        Returns
        -------
        Result
            ``provenance["candidate"]`` says which one it is. Without the confidence, which is the answer's, and without
            state.

        Raises
        ------
        ValueError
            If there is no such candidate.
        """
        if candidate == 0:
            return self
        if not 1 <= candidate <= len(self.candidates):
            raise ValueError(
                f"Expected a candidate from 0 (the answer) to {len(self.candidates)}, got {candidate}: see candidates."
            )
        outputs = {name: image for name, image in self.outputs.items() if name != "confidence"}
        outputs |= {f"source_{k + 1}": image for k, image in enumerate(self.candidates[candidate - 1])}
        return Result(outputs, {**self.provenance, "candidate": candidate}, self.warnings)

    def drop_state(self) -> None:
        """Forget networks and optimiser; the result can then no longer be resumed."""
        self.state = None
