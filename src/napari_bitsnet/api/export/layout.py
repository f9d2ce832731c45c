"""In which axes the outputs of a run are laid out."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from napari_bitsnet.api.planes import Planes
from napari_bitsnet.api.result import Result
from napari_bitsnet.api.run_inputs import planes_of
from napari_bitsnet.tasks import TASKS


def mixture_planes(result: Result, mixture: Any) -> Planes:
    """Return the mixture of a result as the task took it.

    Parameters
    ----------
    result : Result
        Of a run.
    mixture : array
        As it was given to `run`.
    """
    made = result.provenance
    return planes_of(TASKS.get(made["task"]), mixture, made["settings"]["axes"])


def image_axes(output: NDArray, planes: Planes) -> str | None:
    """Return the axes of an output in the layout of the mixture's `planes`, or None if it is no image."""
    full = planes.axes
    for axes in (full.replace("M", ""), full.replace("M", "").replace("C", ""), full, full.replace("C", "")):
        sizes = [planes.array.shape[full.index(a)] for a in axes]
        # opacity, the fourth channel, is not part of the outputs
        if len(axes) == output.ndim and all(
            n == size or (a == "C" and n == 3 and size == 4)
            for a, n, size in zip(axes, output.shape, sizes, strict=True)
        ):
            return axes
    return None


def file_axes(result: Result, planes: Planes) -> dict[str, str | None]:
    """Return the axes of every output as it is written; None for one that is no image and goes into the record."""
    axes = {name: image_axes(output, planes) for name, output in result.outputs.items()}
    for name in axes:
        if name.startswith("features_"):  # many channels, whatever the mixture has
            axes[name] = "".join(planes.stack_axes) + "CYX"
    return axes
