"""Hand-drawn outlines of objects in photographs of scikit-image, with two scribbles each.

The outlines were drawn by eye on the central square of each photograph, resized to 256 x 256 pixels, and
corrected on an overlay. They are accurate to about 2 pixels. The scribbles were drawn before any method was
run on them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.hints import paint, scribble_mask
from napari_bitsnet.data.photographs import fit

DRAWN_AT = 256
"""Side, in pixels, of the square in which the coordinates are given."""

Points = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Outlined:
    """Photograph with an outlined object and scribbles as a person would draw them.

    Parameters
    ----------
    name : str
        Name of the photograph in `skimage.data`, and of the object.
    image : ndarray of shape (Y, X, 3) or (Y, X)
        In [0, 1].
    mask : ndarray of shape (Y, X)
        bool, True on the object.
    hints : ndarray of shape (Y, X)
        1 on the foreground's scribble, 2 on the background's, 0 elsewhere.
    """

    name: str
    image: NDArray
    mask: NDArray
    hints: NDArray


@dataclass(frozen=True)
class _Drawing:
    """Outline as corners (x, y) or an ellipse (x, y, half width, half height), and both scribbles."""

    what: str
    inside: Points
    outside: Points
    corners: Points = ()
    ellipse: Sequence[float] | None = None


DRAWINGS = {
    name: _Drawing(**drawn)
    for name, drawn in json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8")).items()
}


def outlined(name: str, size: int = DRAWN_AT, *, width: int = 3) -> Outlined:
    """Return a photograph with its outlined object and two scribbles.

    Parameters
    ----------
    name : str
        One of `DRAWINGS`.
    size : int
        Side of the square in pixels.
    width : int
        Width of the brush, in pixels at 256 x 256.

    Raises
    ------
    ValueError
        If there is no outline for this photograph.
    """
    from skimage import data
    from skimage.draw import polygon2mask

    if name not in DRAWINGS:
        raise ValueError(f"Unknown photograph {name!r}. Known: {', '.join(DRAWINGS)}.")
    drawing, scale = DRAWINGS[name], size / DRAWN_AT
    raw = getattr(data, name)()
    if raw.dtype == bool:  # the horse is a binary drawing: its outline is exact, shade and grain are added
        plain = fit((~raw).astype(float), size)
        grain = np.random.default_rng(0).standard_normal(plain.shape)
        image, mask = np.clip(0.3 + 0.3 * plain + 0.1 * grain, 0, 1), plain > 0.5
    else:
        image = fit(raw, size)
        mask = polygon2mask((size, size), scale * _corners(drawing)[:, ::-1])
    hints: NDArray = np.zeros((size, size), dtype=np.int32)
    for label, points in ((2, drawing.outside), (1, drawing.inside)):
        line = scale * np.array(points)[:, ::-1]
        hints = paint(hints, scribble_mask((size, size), line, width=max(1, round(width * scale))), label)
    return Outlined(f"{name}: {drawing.what}", image, mask, hints)


def _corners(drawing: _Drawing) -> NDArray:
    if drawing.ellipse is None:
        return np.array(drawing.corners, dtype=float)
    x, y, half_width, half_height = drawing.ellipse
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)
