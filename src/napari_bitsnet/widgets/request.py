"""What a run is asked to do: the parts of layers it works on, taken at its start, and its settings."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_bitsnet.api import RunSettings
from napari_bitsnet.widgets.layers import Part

if TYPE_CHECKING:
    from napari_bitsnet.api import Result
    from napari_bitsnet.core.problem import Iteration


@dataclass(frozen=True)
class Request:
    """Images and settings of one run.

    Parameters
    ----------
    settings : RunSettings
        Its axes are those of the mixture's part.
    mixtures : tuple of Part
        One, or several mixtures of the same sources; outputs lie where the first one does.
    guides : tuple of Part or None
        One a source, or empty.
    hints, mask : Part, optional
        Labels: k = source k; anything but 0 = leave out.
    """

    settings: RunSettings
    mixtures: tuple[Part, ...]
    guides: tuple[Part | None, ...] = ()
    hints: Part | None = None
    mask: Part | None = None

    def iterate(self, stop: Callable[[], bool]) -> Generator[Iteration, None, Result]:
        """Start the run; called on the worker's thread."""
        from napari_bitsnet.api import iter_run

        mixtures = [part.array for part in self.mixtures]
        several = len(mixtures) > 1
        return iter_run(
            self.settings.updated({"axes": self.mixtures[0].axes}),
            mixtures if several else mixtures[0],
            guides=tuple(None if part is None else part.array for part in self.guides),
            hints=None if self.hints is None else self.hints.array,
            mask=None if self.mask is None else self.mask.array != 0,
            stop=stop,
        )

    def record(self, result: Result) -> dict[str, Any]:
        """Return the result's provenance with where its images came from, ready for JSON."""
        return {**result.provenance, "inputs": self._inputs_record()}

    def unfinished_record(self, reason: str) -> dict[str, Any]:
        """Return what is known of a run that failed after it had shown something."""
        return {
            "task": self.settings.task,
            "settings": self.settings.model_dump(mode="json"),
            "stop_reason": f"failed: {reason}",
            "inputs": self._inputs_record(),
        }

    def _inputs_record(self) -> dict[str, Any]:
        return {
            "mixture": [part.record for part in self.mixtures],
            "guides": [None if part is None else part.record for part in self.guides],
            "hints": None if self.hints is None else self.hints.record,
            "mask": None if self.mask is None else self.mask.record,
        }
