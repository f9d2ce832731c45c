"""The layers that show a run: added with the first outputs, updated in place, kept or taken away at the end.

napari takes a good part of a tenth of a second to add a layer, so they are added one at a time: what may add
layers is a generator that is advanced once a turn of the event loop. They are taken away one a turn, too:
napari on Mesa's software renderer ends the process where two layers go in one. Nothing is added to a viewer
that was closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.export.names import unnumbered
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.widgets.alive import is_open
from napari_bitsnet.widgets.layers.parts import METADATA_KEY, Part
from napari_bitsnet.widgets.run.turns import in_turns

if TYPE_CHECKING:
    from napari.layers import Image, Labels

PERCENTILES = (0.1, 99.9)
"""Part of an output's values that its contrast limits span."""

SAMPLED = 2**16
"""About so many values are looked at to find them."""


class PreviewLayers:
    """The layers of one run.

    Layers are held as objects, never by name. One that is deleted is not updated and not added again.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to add them.
    mixtures : sequence of Part
        The first says where outputs lie, how they look and how their names begin; those that belong to one of
        several mixtures are named by theirs.
    """

    def __init__(self, viewer: Any, mixtures: Sequence[Part]) -> None:
        self._viewer, self._mixtures, self._part = viewer, mixtures, mixtures[0]
        self._layers: dict[str, Image | Labels] = {}
        self._limits: dict[str, tuple[float, float]] = {}
        self._deleted: set[str] = set()
        self._turn = 0
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def layers(self) -> list[Image | Labels]:
        """The run's layers that are in the viewer, in the order of its outputs."""
        return [layer for layer in self._layers.values() if layer in self._viewer.layers]

    def updating(self, outputs: Mapping[str, Output], plane: int = 0) -> Iterator[str]:
        """Show the outputs so far of one plane, one at a time; contrast stays as it was set first.

        Ends early when the layers are finished, abandoned or discarded meanwhile.
        """
        turn = self._turn = self._turn + 1
        for name, output in outputs.items():
            if output.layer != "front":
                continue
            if turn != self._turn or not is_open(self._viewer):
                return
            if name in self._deleted:
                continue
            layer = self._layers.get(name)
            new = layer is None
            if layer is None:
                layer = self._add(name, output, self._whole(output.array))
            if self._part.stack_shape:
                place = np.unravel_index(plane, self._part.stack_shape)
                layer.data[place] = self._part.to_layer_data(output.array)
                layer.refresh(thumbnail=False, highlight=False, extent=False)
            elif not new:
                layer.data = self._part.to_layer_data(output.array)
            yield name

    def finishing(
        self, outputs: Mapping[str, Output], record: Mapping[str, Any], *, hidden: bool = False
    ) -> Iterator[str]:
        """Show the final outputs that are images, one at a time, with the run's record in their metadata.

        Parameters
        ----------
        outputs : mapping of str to Output
            As in ``Result.outputs``.
        record : mapping
            JSON; each layer gets it with the name of its output.
        hidden : bool
            Whether outputs that are not shown at first get a layer, too; else `add_output` adds it.
        """
        turn = self._turn = self._turn + 1
        for name, output in outputs.items():
            if turn != self._turn or not is_open(self._viewer):
                return
            if not is_layer(output) or name in self._deleted:
                continue
            if output.layer == "hidden" and not hidden and name not in self._layers:
                continue
            grey = self._part.rgb and "C" not in output.axes  # a mask of a colour image
            data = self._grey_data(output.array) if grey else self._part.to_layer_data(output.array)
            layer = self._layers.get(name)
            if layer is None:
                layer = self._add(name, output, data, visible=output.layer != "hidden", grey=grey)
                if output.layer == "beneath":
                    self._put_beneath(layer)
            else:
                layer.data = data
                self._renew_contrast(name, layer)
            layer.metadata[METADATA_KEY] = {**record, "output": name}
            yield name

    def finish(self, outputs: Mapping[str, Output], record: Mapping[str, Any]) -> list[Image | Labels]:
        """Do all of `finishing` at once, for scripts; return the run's layers."""
        for _ in self.finishing(outputs, record, hidden=True):
            pass
        return self.layers

    def layer_of(self, name: str) -> Image | Labels | None:
        """Return the layer of an output; None if it has none in the viewer."""
        layer = self._layers.get(name)
        return layer if layer in self._viewer.layers else None

    def add_output(self, name: str, output: Output, record: Mapping[str, Any], label: str) -> None:
        """Add the layer of a final output that is not shown at first; `label` is what it is called after the
        image."""
        if name in self._layers or not is_open(self._viewer):
            return
        self._deleted.discard(name)
        grey = self._part.rgb and "C" not in output.axes
        data = self._grey_data(output.array) if grey else self._part.to_layer_data(output.array)
        layer = self._add(name, output, data, grey=grey)
        layer.name = self.name_of(label, output)
        layer.metadata[METADATA_KEY] = {**record, "output": name}

    def abandon(self, record: Mapping[str, Any]) -> None:
        """Leave the layers of a run that failed as they are, named and marked as unfinished."""
        self._turn += 1
        for name, layer in self._layers.items():
            layer.name = f"{layer.name} (unfinished)"
            layer.metadata[METADATA_KEY] = {**record, "output": name}

    def discard(self, then: Callable[[], None] = lambda: None) -> None:
        """Take the run's layers out of the viewer, one a turn of the event loop; from now on they are the
        run's no more.

        Parameters
        ----------
        then : callable
            Called when the last one is gone.
        """
        self._turn += 1
        layers, self._layers = self._layers, {}
        self._deleted.update(layers)
        in_turns(self._removing(list(layers.values())), then)

    def _removing(self, layers: Sequence[Image | Labels]) -> Iterator[str]:
        for layer in layers:
            if not is_open(self._viewer):
                return
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
                yield layer.name

    @property
    def _shape(self) -> tuple[int, ...]:
        """Shape of an output that is an image: the mixture's, without opacity."""
        shape = tuple(self._part.array.shape)
        return (*shape[:-1], min(shape[-1], 3)) if self._part.rgb else shape

    def _grey_data(self, output: NDArray) -> NDArray:
        """Data of an output without colours: it is on no scale of theirs."""
        return output.reshape((1,) * self._part.dropped + output.shape)

    def _whole(self, output: NDArray) -> NDArray:
        """Data of a new layer: the plane itself, or a stack that is NaN where nothing is known yet."""
        if not self._part.stack_shape:
            return self._part.to_layer_data(output)
        return np.full(self._shape, np.nan, np.float32)

    def _add(
        self, name: str, output: Output, data: NDArray, *, visible: bool = True, grey: bool = False
    ) -> Image | Labels:
        selection = self._viewer.layers.selection
        active = selection.active
        common = {
            "name": self.name_of(name, output),
            "visible": visible,
            "metadata": {METADATA_KEY: {"output": name}},
            **self._part.geometry,
        }
        # adding a layer selects it, which builds its controls: the user's selection is not ours to change
        with nullcontext() if active is None else selection.events.blocker_all():
            if output.kind == "labels":
                layer = self._viewer.add_labels(data, **common)
            else:
                self._limits[name] = limits = contrast_limits(data)
                rgb = self._part.rgb and not grey
                layer = self._viewer.add_image(
                    data, rgb=rgb, contrast_limits=limits, **common, **self._part.look
                )
            if active is not None:
                selection.active = active
        self._layers[name] = layer
        self._put_beneath_drawings(layer)
        return layer

    def name_of(self, name: str, output: Output) -> str:
        """Return the name of the layer of an output, which begins with that of its mixture; maps are named by
        their captions."""
        if output.kind == "map" and output.of_mixture is None:
            return f"{self._part.name} {output.caption.lower()}"
        if output.of_mixture is not None and output.of_mixture <= len(self._mixtures):
            return f"{self._mixtures[output.of_mixture - 1].name} {unnumbered(name)}"
        return f"{self._part.name} {name.replace('_', ' ')}"

    def _put_beneath_drawings(self, layer: Image | Labels) -> None:
        """Move a new layer under the hints, areas and points on top of all images: opaque, it would hide
        them."""
        layers = self._viewer.layers
        place = here = layers.index(layer)
        for k in range(here - 1, -1, -1):
            if is_drawing(layers[k]):
                place = k
            elif layers[k].visible:
                break
        if place != here:
            layers.move(here, place)

    def _put_beneath(self, layer: Image) -> None:
        """Move a layer under the lowest of the run's layers."""
        layers = self._viewer.layers
        lowest = min(layers.index(other) for other in self.layers)
        layers.move(layers.index(layer), lowest)

    def _renew_contrast(self, name: str, layer: Image | Labels) -> None:
        """Fit the contrast to the final data, unless someone has moved it since it was set; labels have
        none."""
        if name not in self._limits or tuple(layer.contrast_limits) != self._limits[name]:
            return
        self._limits[name] = contrast_limits(layer.data)
        layer.contrast_limits = self._limits[name]

    def _on_removed(self, event: Any) -> None:
        for name, layer in list(self._layers.items()):
            if layer == event.value:  # not `is`: plugins are given proxies of layers
                del self._layers[name]
                self._deleted.add(name)


def is_drawing(layer: Any) -> bool:
    """Whether someone draws in a layer: hints, masks, areas, points; not the labels that a run has made."""
    from napari.layers import Labels, Points, Shapes

    return isinstance(layer, Labels | Points | Shapes) and METADATA_KEY not in layer.metadata


def is_layer(output: Output) -> bool:
    """Whether an output lies on the pixels of one mixture: not values, feature maps, or one image for each
    mixture."""
    return output.is_image and output.kind != "features" and "M" not in output.axes


def contrast_limits(data: NDArray) -> tuple[float, float]:
    """Return limits that show nearly all finite values of `data`: (low, high) with low < high.

    Of large images, those of values that are evenly spread over it.
    """
    step = data.size // SAMPLED | 1  # odd: neither columns nor channels fall in with it
    sample = data.ravel()[::step]
    finite = sample[np.isfinite(sample)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, PERCENTILES))
    if high > low:
        return low, high
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low, low + 1.0)
