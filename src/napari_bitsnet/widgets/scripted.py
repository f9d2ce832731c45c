"""Separate a layer from a script with a viewer: wait, and return the layers of the sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_bitsnet.api import RunSettings
from napari_bitsnet.api.running import finish
from napari_bitsnet.api.signatures import spelled_out

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.viewer import Viewer


@spelled_out
def separate_layer(
    viewer: Viewer,
    layer: Image | Sequence[Image],
    *,
    task: str = "separate",
    guides: Sequence[Image | None] = (),
    hints: Labels | None = None,
    mask: Labels | None = None,
    level: int = 0,
    position: Sequence[int] | None = None,
    box: Sequence[Sequence[int]] | None = None,
    **arguments: Any,
) -> list[Image]:
    """Run a task on a layer and add its outputs as layers, in place and with the record of the run.

    The same settings on the layer's array give the same numbers with `napari_bitsnet.run`.

    Parameters
    ----------
    viewer : napari.Viewer
        Viewer in which the layers are added.
    layer : Image, or several for tasks of several mixtures
        The mixture. Of a stack all slices are separated, unless `position` says which.
    task : str
        See `list_tasks`.
    guides : sequence of Image or None
        One a source; brought onto the mixture's pixels through their transforms, or stretched onto it if
        they have none.
    hints, mask : Labels, optional
        k where pixels belong to source k; anything but 0 where pixels are to be left out.
    level : int
        Resolution level of a multiscale image; 0 is full resolution.
    position : sequence of int, optional
        Of a stack, the slice: one index for each axis in front of Y and X.
    box : ((y0, y1), (x0, x1)), optional
        Region, in pixels of the level; the ends are not part of it.
    **arguments
        As for `napari_bitsnet.run`; the axes are those of the layer.

    Returns
    -------
    list of Image
        The added layers, sources first; the record is in ``layer.metadata["napari-bitsnet"]``. Colour images
        are scaled to napari's range for colours, 0 to 1.

    Raises
    ------
    TypeError, ValueError
        If an image or a setting is not valid.
    """
    from napari_bitsnet.widgets.layers.alignment import align
    from napari_bitsnet.widgets.layers.parts import layer_part
    from napari_bitsnet.widgets.run.preview import PreviewLayers
    from napari_bitsnet.widgets.run.request import Request

    mixture, *others = layer if isinstance(layer, Sequence) else (layer,)
    first = layer_part(
        mixture, level=level, position=position, box=None if box is None else [slice(*ends) for ends in box]
    )

    def beside(other: Any, *, labels: bool = False) -> Any:
        if other is None:
            return None
        stacked = position if other.ndim == mixture.ndim else None
        return align(layer_part(other, position=stacked), first, labels=labels)

    request = Request(
        settings=RunSettings.of(task, **arguments),
        mixtures=(first, *(beside(other) for other in others)),
        guides=tuple(beside(guide) for guide in guides),
        hints=beside(hints, labels=True),
        mask=beside(mask, labels=True),
    )
    result = finish(request.iterate(lambda: False))
    layers = PreviewLayers(viewer, request.mixtures)
    return layers.finish(result.outputs, request.record(result))
