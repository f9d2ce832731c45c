"""How an image was understood whose file does not name its dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_bitsnet.api.run_inputs import planes_of
from napari_bitsnet.tasks import TASKS

if TYPE_CHECKING:
    from napari_bitsnet.api.planes import Planes
    from napari_bitsnet.cli.job import Images


def reading_in_words(images: Images, task: str, axes: str | None) -> tuple[str, ...]:
    """Return how a mixture was understood, and how to say otherwise; nothing where it is declared.

    Parameters
    ----------
    images : Images
        Of the run.
    task : str
        Name of the task.
    axes : str or None
        Those that the run takes.

    Raises
    ------
    ValueError
        If the axes do not fit the mixture.
    """
    if images.named:
        return ()
    planes = planes_of(TASKS.get(task), images.mixture, axes)
    shape = tuple(planes.array.shape)
    note = (
        f"the file does not name its dimensions; shape {shape} is read as {_what(planes)}. If this is wrong, "
        'name them, for example axes="ZYX".'
    )
    return (note,)


def _what(planes: Planes) -> str:
    sizes = dict(zip(planes.axes, planes.array.shape, strict=True))
    colour = {1: "", 3: " in colour", 4: " in colour with opacity"}[sizes.get("C", 1)]
    each = f"{sizes['M']} mixtures{colour}" if "M" in sizes else f"one image{colour}"
    return f"{len(planes)} slices, each {each}" if planes.stack_axes else each
