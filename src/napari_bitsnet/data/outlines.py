"""Hand-drawn outlines of objects in photographs of scikit-image, with two scribbles each.

The outlines were drawn by eye on the central square of each photograph, resized to 256 x 256 pixels, and
corrected on an overlay. They are accurate to about 2 pixels. The scribbles were drawn before any method was
run on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.hints import paint, scribble_mask
from napari_bitsnet.data.photographs import fit

DRAWN_AT = 256
"""Side, in pixels, of the square in which the coordinates are given."""

Points = tuple[tuple[float, float], ...]


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
    ellipse: tuple[float, float, float, float] | None = None


DRAWINGS = {
    "astronaut": _Drawing(
        "the woman in her suit",
        ((118, 25), (112, 60), (112, 110), (80, 150), (70, 220), (120, 225)),
        ((40, 40), (60, 4), (165, 4), (165, 90), (195, 160), (215, 175)),
        (
            (122, 8),
            (140, 15),
            (149, 28),
            (150, 46),
            (145, 60),
            (137, 64),
            (131, 76),
            (142, 85),
            (151, 100),
            (153, 112),
            (164, 124),
            (174, 136),
            (179, 152),
            (181, 170),
            (172, 175),
            (157, 186),
            (146, 200),
            (140, 216),
            (138, 240),
            (140, 256),
            (22, 256),
            (13, 240),
            (10, 215),
            (14, 195),
            (15, 168),
            (20, 152),
            (38, 130),
            (60, 114),
            (58, 102),
            (61, 90),
            (70, 80),
            (86, 74),
            (91, 70),
            (88, 60),
            (80, 58),
            (76, 46),
            (77, 28),
            (88, 14),
            (104, 8),
        ),
    ),
    "coffee": _Drawing(
        "cup, saucer and spoon",
        ((60, 60), (120, 20), (120, 90), (100, 150), (30, 150), (130, 220), (170, 185), (225, 150)),
        ((15, 30), (60, 4), (190, 4), (240, 40), (247, 90), (250, 200), (225, 242)),
        (
            (0, 88),
            (15, 68),
            (41, 50),
            (50, 46),
            (62, 30),
            (80, 18),
            (100, 12),
            (125, 11),
            (150, 17),
            (172, 30),
            (188, 46),
            (192, 52),
            (196, 44),
            (207, 44),
            (205, 64),
            (216, 73),
            (230, 92),
            (240, 115),
            (242, 145),
            (236, 178),
            (222, 205),
            (200, 225),
            (170, 240),
            (135, 247),
            (100, 244),
            (65, 233),
            (35, 216),
            (14, 196),
            (0, 178),
        ),
    ),
    "chelsea": _Drawing(
        "the left eye",
        ((68, 98), (80, 80), (83, 100), (98, 105)),
        ((30, 100), (60, 60), (110, 60), (135, 110), (100, 150), (50, 140), (30, 180), (200, 200), (235, 60)),
        ellipse=(82, 97, 30, 27),
    ),
    "rocket": _Drawing(
        "the rocket",
        ((129, 84), (129, 150), (129, 235)),
        ((30, 60), (100, 40), (220, 60), (170, 150), (150, 210)),
        (
            (129, 75),
            (134, 83),
            (136, 96),
            (136, 110),
            (137, 150),
            (137, 243),
            (121, 243),
            (121, 110),
            (122, 96),
            (124, 83),
        ),
    ),
    "camera": _Drawing(
        "the man and his camera",
        ((110, 45), (108, 70), (150, 85), (105, 112), (60, 100), (40, 160), (30, 230)),
        ((20, 30), (80, 20), (200, 40), (220, 140), (200, 230), (110, 200)),
        (
            (100, 33),
            (112, 34),
            (127, 43),
            (134, 52),
            (134, 62),
            (130, 70),
            (146, 69),
            (162, 70),
            (162, 82),
            (165, 88),
            (164, 100),
            (156, 108),
            (150, 118),
            (152, 134),
            (138, 150),
            (120, 150),
            (104, 146),
            (96, 162),
            (84, 178),
            (70, 192),
            (74, 220),
            (75, 256),
            (66, 256),
            (56, 236),
            (49, 216),
            (45, 256),
            (0, 256),
            (0, 200),
            (9, 182),
            (10, 160),
            (7, 140),
            (8, 122),
            (18, 105),
            (28, 88),
            (40, 72),
            (55, 63),
            (70, 60),
            (82, 53),
            (86, 41),
        ),
    ),
    "coins": _Drawing(
        "one of the coins",
        ((182, 100), (195, 92), (207, 104)),
        ((150, 75), (195, 70), (225, 85), (225, 120), (195, 132), (165, 125), (120, 60)),
        ellipse=(194.5, 101.5, 21.5, 20.5),
    ),
    "cell": _Drawing(
        "the cell",
        ((190, 140), (205, 160)),
        ((60, 60), (120, 180), (235, 210)),
        ellipse=(199, 149, 30, 30),
    ),
    "horse": _Drawing(
        "the horse",
        ((40, 100), (150, 100), (200, 50)),
        ((15, 30), (120, 45), (170, 25), (200, 8)),
    ),
    "retina": _Drawing(
        "the optic disc",
        ((44, 110), (46, 124)),
        ((20, 90), (60, 80), (75, 120), (60, 160), (20, 150), (90, 200), (150, 60)),
        ellipse=(46, 117, 12, 17),
    ),
    "moon": _Drawing(
        "the crater on the left",
        ((53, 42), (67, 44)),
        ((30, 40), (60, 20), (90, 40), (60, 70), (150, 120), (60, 180)),
        ellipse=(60, 44, 13, 12.5),
    ),
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
