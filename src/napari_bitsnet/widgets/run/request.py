"""What a run is asked to do: the parts of layers it works on, taken at its start, and its settings."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bitsnet.api import RunSettings
from napari_bitsnet.widgets.layers.alignment import plane_shape
from napari_bitsnet.widgets.layers.parts import Part

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
    remarks : tuple of str
        What is to be said about the layers when the run has ended.
    """

    settings: RunSettings
    mixtures: tuple[Part, ...]
    guides: tuple[Part | None, ...] = ()
    hints: Part | None = None
    mask: Part | None = None
    remarks: tuple[str, ...] = ()

    def iterate(
        self, stop: Callable[[], bool], new_hints: Callable[[], Any] | None = None
    ) -> Generator[Iteration, None, Result]:
        """Start the run; called on the worker's thread."""
        from napari_bitsnet.api import iter_run

        mixtures = [part.array for part in self.mixtures]
        several = len(mixtures) > 1
        return iter_run(
            self._as_files_say(self.settings.updated({"axes": self.mixtures[0].axes})),
            mixtures if several else mixtures[0],
            guides=tuple(None if part is None else part.array for part in self.guides),
            hints=None if self.hints is None else self.hints.array,
            mask=None if self.mask is None else self.mask.array != 0,
            stored=self.stored,
            stop=stop,
            new_hints=new_hints,
        )

    def _as_files_say(self, settings: RunSettings) -> RunSettings:
        """Return settings with the encoding that the mixtures' files state, where the task follows them."""
        from napari_bitsnet.api.file_encoding import follows_files, with_file_encoding
        from napari_bitsnet.io.read import read_image

        paths = [part.record["path"] for part in self.mixtures if part.rgb]
        if not follows_files(settings) or not paths or not all(paths):
            return settings
        try:
            return with_file_encoding(settings, [read_image(path).encoding for path in paths])
        except (OSError, ValueError):  # the layer has its pixels all the same
            return settings

    @property
    def stored(self) -> np.dtype:
        """Type of the mixtures' layers: resampling one onto the other makes floats of integers."""
        return np.result_type(*(np.dtype(part.record["dtype"]) for part in self.mixtures))

    def half_size(self) -> int:
        """Half the working size, or half the image where that is smaller."""
        return max(32, min(self.settings.size_limit, max(plane_shape(self.mixtures[0]))) // 2)

    def record(self, result: Result) -> dict[str, Any]:
        """Return the result's provenance with where its images came from, ready for JSON."""
        return {**result.provenance, **self._inputs_record()}

    def unfinished_record(self, reason: str) -> dict[str, Any]:
        """Return what is known of a run that failed after it had shown something."""
        return {
            "task": self.settings.task,
            "settings": self.settings.model_dump(mode="json"),
            "stop_reason": f"failed: {reason}",
            **self._inputs_record(),
        }

    def files(self) -> dict[str, Any]:
        """Return the paths of the inputs, as the command line records them; {} unless all are whole files."""
        parts = [*self.mixtures, *self.guides, self.hints, self.mask]
        if not all(part is None or part.is_file for part in parts):
            return {}
        return _each(self, lambda part: part.record["path"])

    def _inputs_record(self) -> dict[str, Any]:
        """The inputs as files, where they are, and as layers."""
        return {"inputs": self.files(), "layers": _each(self, lambda part: part.record)}


def _each(request: Request, of: Callable[[Part], Any]) -> dict[str, Any]:
    """Apply a function to every input that is given."""

    def one(part: Part | None) -> Any:
        return None if part is None else of(part)

    return {
        "mixture": [one(part) for part in request.mixtures],
        "guides": [one(part) for part in request.guides],
        "hints": one(request.hints),
        "mask": one(request.mask),
    }
