"""Films simulated from still photographs: windows that move over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.photographs import bundled_photograph

FRAMES = 8
STEP = (1.0, 2.0)
"""How far the first photograph moves from frame to frame, (y, x) in pixels; the second moves the other way."""


def passing(name: str, size: int, step: tuple[float, float], frames: int = FRAMES) -> NDArray:
    """Windows (T, Y, X, C) of a bundled photograph that is half as large again, moved by `step` (y, x) from one to the next.

    Raises
    ------
    ValueError
        If the photograph would move out of the windows.
    """
    image = bundled_photograph(name, size * 3 // 2)
    places = (len(image) - size) / 2 - np.outer(np.arange(frames) - (frames - 1) / 2, step)
    corners = np.floor(places).astype(int)
    if corners.min() < 0 or corners.max() > len(image) - size:
        raise ValueError(
            f"Expected a size that a motion of {step} pixels in {frames} frames fits into, got {size}: make it larger."
        )
    return np.stack([image[y : y + size, x : x + size] for y, x in corners])
