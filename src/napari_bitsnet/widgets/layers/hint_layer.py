"""The Labels layer on which hints are painted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_bitsnet.widgets.layers.parts import layer_shape

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.viewer import Viewer


def add_hint_layer(viewer: Viewer, image: Image) -> Labels:
    """Add an empty Labels layer at the place of an image, with a brush that suits its size."""
    shape = layer_shape(image)
    layer = viewer.add_labels(
        np.zeros(shape, dtype=np.uint8),
        name=f"{image.name} hints",
        scale=image.scale,
        translate=image.translate,
        rotate=image.rotate,
        shear=image.shear,
        affine=image.affine.affine_matrix,
        units=image.units,
        axis_labels=image.axis_labels,
    )
    layer.brush_size = max(3, max(shape[-2:]) // 100)
    layer.mode = "paint"
    return layer
