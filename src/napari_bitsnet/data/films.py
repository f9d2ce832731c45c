"""Simulate films from still photographs by windows that move over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.photographs import bundled_photograph

FRAMES = 8
"""Frames of a film: enough for the parts to move past each other."""
STEP = (1.0, 2.0)
"""Motion of the first photograph, (y, x) in pixels per frame; the second moves in the opposite direction."""


def passing(name: str, size: int, step: tuple[float, float], frames: int = FRAMES) -> NDArray:
    """Return windows (T, Y, X, C) that move over a bundled photograph by `step` (y, x) pixels per frame.

    The photograph is 1.5 times as large as the windows.

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
            f"Expected a size that fits {frames} frames with a motion of {step} pixels, got {size}: enlarge "
            "it."
        )
    return np.stack([image[y : y + size, x : x + size] for y, x in corners])
