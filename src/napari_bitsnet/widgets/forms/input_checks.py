"""Layers that were chosen twice: said before a run, since what comes out would look like an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def check_different(mixtures: Sequence[Any], guides: Sequence[Any]) -> None:
    """Check that no guide is the image itself, and no image or guide stands twice.

    Parameters
    ----------
    mixtures : sequence of Image
        The image, or several mixtures.
    guides : sequence of Image or None
        One a source.

    Raises
    ------
    ValueError
        If two are the same layer, or have the same pixels.
    """
    named = [(f"guide {k + 1}", layer) for k, layer in enumerate(guides) if layer is not None]
    for what, guide in named:
        if any(same_pixels(guide, mixture) for mixture in mixtures):
            raise ValueError(
                f"Expected another picture than the image as {what}, got {guide.name}, the image itself: a "
                "guide shows one source alone, such as a photograph of one side. Choose it, or none."
            )
    for several, what, advice in (
        (named, "guides", "each belongs to one source, so leave the other empty"),
        ([(f"image {k + 1}", layer) for k, layer in enumerate(mixtures)], "mixtures", "choose another one"),
    ):
        for k, (_, layer) in enumerate(several):
            if any(same_pixels(layer, other) for _, other in several[:k]):
                raise ValueError(f"Expected different {what}, got {layer.name} twice: {advice}.")


def same_pixels(one: Any, other: Any) -> bool:
    """Whether two layers are one, or hold the same image; arrays that are computed lazily are not looked
    at."""
    if one == other:
        return True
    a, b = one.data, other.data
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return False
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b)
