"""Changes of a result in the viewer, so that files and records match the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.brightness import split_brightness
from napari_bitsnet.core.outputs import Output, source_names

if TYPE_CHECKING:
    from napari_bitsnet.api import Result


@dataclass
class Edits:
    """Changes of a result by the user.

    Parameters
    ----------
    candidate : int
        Number of the split that is shown; 0 is the answer.
    shifts : tuple of K float
        Brightness that was added to each source, in fractions of the mixture's range; empty for none.
    swapped : bool
        Whether the names of the two sources were exchanged.
    bases : list of K ndarray
        Data of the source layers before their brightness was changed; empty if it never was.
    """

    candidate: int = 0
    shifts: tuple[float, ...] = ()
    swapped: bool = False
    bases: list[NDArray] = field(default_factory=list, repr=False)

    def record(self) -> dict[str, Any]:
        """Return the changes for the record of the run; {} without changes."""
        found: dict[str, Any] = {"candidate": self.candidate} if self.candidate else {}
        if any(self.shifts):
            found["brightness_shifts"] = list(self.shifts)
        if self.swapped:
            found["swapped"] = True
        return found


def as_shown(result: Result, edits: Edits) -> Result:
    """Return a result as the viewer shows it, with the changes in its record.

    Parameters
    ----------
    result : Result
        Result as computed.
    edits : Edits
        Changes since then.
    """
    if not edits.record():
        return result
    shown = result.choose(edits.candidate)
    outputs = dict(shown.outputs)
    if any(edits.shifts):
        names = source_names(outputs)
        shares = moved([outputs[name].array for name in names], edits.shifts)
        outputs |= {name: replace(outputs[name], array=s) for name, s in zip(names, shares, strict=True)}
    if edits.swapped:
        arrays = {name: output.array for name, output in outputs.items()}
        outputs = {name: replace(o, array=arrays[swapped_name(outputs, name)]) for name, o in outputs.items()}
        for name, output in outputs.items():
            if "K" in output.axes:
                outputs[name] = replace(output, array=np.flip(output.array, output.axes.index("K")))
    return replace(shown, outputs=outputs, provenance={**shown.provenance, **edits.record()}, state=None)


def moved(sources: Sequence[NDArray], shifts: Sequence[float]) -> list[NDArray]:
    """Return sources with changed brightness, in fractions of the range of their sum; see
    `split_brightness`."""
    total = np.sum(sources, axis=0)
    span = float(np.nanmax(total) - np.nanmin(total)) or 1.0
    return split_brightness(sources, [shift * span for shift in shifts])


def swapped_name(outputs: Mapping[str, Output], name: str) -> str:
    """Return the name of an output after its two sources are exchanged: ``source_2`` for ``source_1``."""
    kind, number = outputs[name].kind, outputs[name].of_source
    if number is None:
        return name
    return next(
        (n for n, other in outputs.items() if other.kind == kind and other.of_source == 3 - number), name
    )
