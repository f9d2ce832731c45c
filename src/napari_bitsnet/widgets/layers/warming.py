"""Load what napari's layers for drawing need before the first of them is added."""

from __future__ import annotations

import numpy as np


def load_drawing() -> None:
    """Make one Shapes, one Points and one Labels layer, for the modules and the compiled code that they load.

    napari loads pandas and compiled triangulation with the first of them, which takes about a second; on
    another thread the window answers meanwhile.
    """
    from napari.layers import Labels, Points, Shapes

    Shapes([np.array([[0, 0], [0, 1], [1, 1]])], shape_type="polygon")
    Points(np.zeros((1, 2)))
    Labels(np.zeros((2, 2), np.uint8))
