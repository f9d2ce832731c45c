"""Common settings of tasks on photographs: which values are black and white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.config import Config, setting


class PhotographConfig(Config):
    """Settings of the value range of a photograph."""

    low: float | None = setting(
        None,
        "Value that counts as black; none takes 0, or the smallest value if it is negative.",
        ge=-1e9,
        le=1e9,
        step=1.0,
    )
    high: float | None = setting(
        None,
        "Value that counts as white; none takes 255 for 8 bits, 1 for fractions, else the largest value.",
        ge=-1e9,
        le=1e9,
        step=1.0,
    )

    def range_of(self, image: NDArray, stored: np.dtype) -> tuple[float, float]:
        """Return the values of black and white; `stored` is the type of the file."""
        finite = image[np.isfinite(image)]
        low = min(0.0, float(finite.min())) if self.low is None else self.low
        if self.high is not None:
            return low, self.high
        if stored == np.uint8:
            return low, 255.0
        largest = float(finite.max())
        return low, 1.0 if 0 < largest <= 1 and not np.issubdtype(stored, np.integer) else largest
