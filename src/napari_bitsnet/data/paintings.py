"""Procedural paintings: scenes of simple shapes in painters' pigments, painted with brush strokes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.brushwork import paint
from napari_bitsnet.data.fields import fractal_field, grid, smooth_field

PIGMENTS = {
    "lead white": (0.93, 0.90, 0.83),
    "lead-tin yellow": (0.88, 0.76, 0.38),
    "ochre": (0.72, 0.53, 0.26),
    "vermilion": (0.76, 0.23, 0.16),
    "madder": (0.50, 0.11, 0.16),
    "umber": (0.31, 0.21, 0.14),
    "bone black": (0.10, 0.09, 0.09),
    "azurite": (0.25, 0.42, 0.62),
    "ultramarine": (0.17, 0.20, 0.50),
    "malachite": (0.34, 0.52, 0.36),
    "verdigris": (0.16, 0.40, 0.38),
    "flesh": (0.87, 0.67, 0.54),
    "slate": (0.45, 0.47, 0.50),
}
GARMENTS = (
    "vermilion",
    "madder",
    "ultramarine",
    "azurite",
    "malachite",
    "verdigris",
    "ochre",
    "slate",
    "umber",
)


def pigment(name: str) -> NDArray:
    """Return the colour of a pigment, RGB in [0, 1]."""
    return np.array(PIGMENTS[name])


class Scene:
    """Canvas with coordinates from 0 to 1, on which shapes cover each other.

    Parameters
    ----------
    rng : Generator
        Source of all randomness.
    size : (Y, X)
        Pixels.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.rng, self.size = rng, size
        self.y, self.x = grid(size)
        self.unit = 1.0 / min(size)  # one pixel
        self.image = np.zeros((*size, 3))

    def lay(self, inside: NDArray, colour: NDArray, shade: NDArray | float = 1.0) -> None:
        """Paint the area where `inside` is positive, in shaded colour.

        `inside` is an approximate signed distance, in image sides. Shades above 1 mix in white, as painters
        do; shades below 1 darken.
        """
        cover = np.clip(inside / (1.5 * self.unit) + 0.5, 0, 1)[..., None]
        shade = np.broadcast_to(np.asarray(shade, dtype=float), self.size)[..., None]
        lit = np.minimum(shade, 1) * colour + np.clip(shade - 1, 0, 1) * (pigment("lead white") - colour)
        self.image += cover * (lit - self.image)

    def rough(self, amplitude: float, length: float) -> NDArray:
        """Return a smooth random field of an amplitude and a correlation length, both in image sides."""
        return amplitude * smooth_field(self.rng, self.size, length / self.unit)

    def ellipse(self, y: float, x: float, ry: float, rx: float, turn: float = 0.0) -> NDArray:
        """Return the approximate signed distance to an ellipse, > 0 inside."""
        u, v = self.y - y, self.x - x
        a, b = u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)
        return (1 - np.hypot(a / ry, b / rx)) * min(ry, rx)

    def ball(self, y: float, x: float, ry: float, rx: float, light: tuple[float, float]) -> NDArray:
        """Return the Lambertian shade of an ellipsoid lit from (dy, dx) in front of it, about 0.4 to 1.4."""
        u, v = (self.y - y) / ry, (self.x - x) / rx
        depth = np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))
        cosine = (u * light[0] + v * light[1] + 0.8 * depth) / np.sqrt(light[0] ** 2 + light[1] ** 2 + 0.64)
        return 0.45 + 0.9 * np.clip(cosine, 0, 1)

    def folds(self, count: float, lean: float) -> NDArray:
        """Return the shade of hanging cloth: curved ridges, sharper on one side."""
        phase = count * (self.x + lean * self.y) + self.rough(0.35, 0.12) + self.rough(0.15, 0.05)
        wave = np.sin(2 * np.pi * phase)
        return 0.85 + 0.3 * np.sign(wave) * np.abs(wave) ** 0.7 + 0.15 * np.sin(5.3 * np.pi * phase + 1)


def figure(scene: Scene, y: float, x: float, height: float, *, halo: bool) -> None:
    """Paint a draped figure with the head's centre at (y, x) and the head's `height`, in image sides."""
    rng = scene.rng
    side = float(rng.choice([-1.0, 1.0]))
    light = (-0.5, 0.6 * side)
    ry, rx = 0.5 * height, 0.37 * height
    skin = np.clip(pigment("flesh") * rng.uniform(0.85, 1.05) + 0.02 * rng.standard_normal(3), 0, 1)
    dress, mantle = (pigment(n) for n in rng.choice(GARMENTS, 2, replace=False))
    hair = pigment(str(rng.choice(["umber", "bone black", "ochre"]))) * rng.uniform(0.8, 1.2)
    if halo:
        ring = scene.ellipse(y - 0.1 * ry, x, 1.7 * ry, 1.7 * ry)
        scene.lay(ring, pigment("lead-tin yellow"), 0.95 + 0.15 * np.sin(ring * 90 / height * 0.37))
    drop = np.clip(scene.y - y - 1.15 * ry, 0, None)
    shoulders = 0.85 * height + 0.35 * drop
    spread = np.minimum(shoulders, 2.1 * height * np.sqrt(drop / height))
    sway = 0.1 * drop * rng.uniform(-1, 1)
    body = np.minimum(spread - np.abs(scene.x - x - sway), scene.y - y - 1.15 * ry)
    neck = np.minimum(0.5 * rx - np.abs(scene.x - x), 1.5 * ry - np.abs(scene.y - y - 1.1 * ry))
    back_hair = scene.ellipse(y + 0.15 * ry, x, 1.35 * ry, 1.3 * rx) + scene.rough(0.012, 0.02)
    scene.lay(back_hair, hair, 0.9 + scene.rough(0.25, 0.015))
    scene.lay(neck, skin, 0.8 + 0.2 * side * (scene.x - x) / rx)
    scene.lay(body + scene.rough(0.004, 0.03), dress, scene.folds(0.9 / height, 0.1 * side))
    cut = side * (scene.x - x) + 0.35 * (scene.y - y) - rng.uniform(0.2, 0.7) * height
    scene.lay(np.minimum(body + 0.02, cut + scene.rough(0.02, 0.06)), mantle, scene.folds(0.7 / height, 0.5))
    collar = np.minimum(
        0.35 * height - np.hypot(scene.x - x, 0.8 * (scene.y - y - 1.25 * ry)), neck + 0.5 * rx
    )
    scene.lay(np.minimum(collar, scene.y - y - ry), pigment("lead white"), scene.folds(2 / height, 0.0))
    scene.lay(scene.ellipse(y, x, ry, rx), skin, scene.ball(y, x, ry, 1.15 * rx, light))
    gaze = 0.12 * rx * side
    for eye in (-0.42, 0.42):
        ex = x + eye * rx + gaze
        scene.lay(scene.ellipse(y - 0.22 * ry, ex, 0.06 * ry, 0.24 * rx), hair, 0.8)
        scene.lay(scene.ellipse(y - 0.05 * ry, ex, 0.085 * ry, 0.2 * rx), pigment("lead white"), 0.9)
        scene.lay(scene.ellipse(y - 0.05 * ry, ex + 0.3 * gaze, 0.085 * ry, 0.1 * rx), pigment("bone black"))
    nose = scene.ellipse(y + 0.18 * ry, x + gaze - 0.1 * side * rx, 0.27 * ry, 0.11 * rx, 0.15 * side)
    scene.lay(nose, skin, 0.72)
    scene.lay(scene.ellipse(y + 0.52 * ry, x + gaze, 0.07 * ry, 0.3 * rx), pigment("vermilion"), 0.8)
    fringe = np.minimum(scene.ellipse(y - 0.1 * ry, x, 1.12 * ry, 1.12 * rx), y - 0.45 * ry - scene.y)
    scene.lay(fringe + scene.rough(0.006, 0.015), hair, 1 + scene.rough(0.2, 0.012))


def trees(scene: Scene, horizon: float, count: int) -> None:
    """Paint trees on the ground, the far ones first."""
    rng = scene.rng
    for depth in np.sort(rng.uniform(0.05, 1, count)):
        base, x, height = horizon + 0.5 * depth**2, rng.uniform(0, 1), 0.1 + 0.35 * depth
        trunk = np.minimum(0.035 * height - np.abs(scene.x - x - scene.rough(0.004, 0.05)), base - scene.y)
        scene.lay(np.minimum(trunk, scene.y - base + 0.7 * height), pigment("umber"), 0.7)
        green = pigment(str(rng.choice(["malachite", "verdigris", "ochre"]))) * rng.uniform(0.5, 0.95)
        for _ in range(rng.integers(3, 6)):
            cy, cx = base - height * rng.uniform(0.5, 0.95), x + 0.25 * height * rng.standard_normal()
            radius = height * rng.uniform(0.14, 0.28)
            crown = scene.ellipse(cy, cx, 0.8 * radius, radius) + scene.rough(0.25 * radius, 0.012)
            shade = scene.ball(cy, cx, radius, 1.2 * radius, (-0.7, 0.4)) + scene.rough(0.22, 0.008)
            scene.lay(crown, green, shade)


def landscape(scene: Scene) -> None:
    """Paint sky, hills in aerial perspective, a river, houses, trees, and sometimes a figure in front."""
    rng = scene.rng
    horizon = rng.uniform(0.3, 0.55)
    sky, haze = pigment(str(rng.choice(["azurite", "slate"]))), pigment("lead white")
    glow = np.clip(scene.y / horizon, 0, 1)[..., None] ** 1.5
    warm = haze * (1 - 0.35 * rng.uniform()) + 0.35 * rng.uniform() * pigment("flesh") * 0.5
    scene.image[:] = sky + glow * (np.clip(warm, 0, 1) - sky)
    clouds = fractal_field(rng, scene.size, 1.8) - 0.3
    scene.lay(0.04 * clouds, haze, 0.95 + 0.1 * clouds)
    for layer in range(4):
        nearness = layer / 3
        ridge = horizon - 0.12 * (1 - nearness) + 0.1 * nearness + scene.rough(0.05, 0.15)[:1] - 0.02
        colour = (1 - nearness) * (0.6 * sky + 0.3 * haze) + nearness * pigment(
            str(rng.choice(["malachite", "ochre"]))
        )
        scene.lay(scene.y - ridge, colour, 0.85 + scene.rough(0.12, 0.04) + scene.rough(0.06, 0.01))
    if rng.uniform() < 0.7:
        bend = 0.5 + 0.25 * np.sin(6 * (scene.y - horizon) + rng.uniform(0, 6)) + scene.rough(0.02, 0.05)
        width = 0.02 + 0.5 * np.clip(scene.y - horizon - 0.08, 0, None) ** 1.2
        river = np.minimum(width - np.abs(scene.x - bend), scene.y - horizon - 0.08)
        scene.lay(river, 0.7 * sky + 0.3 * haze, 0.95 + scene.rough(0.1, 0.006))
    for _ in range(rng.integers(1, 4)):
        y, x, s = horizon + rng.uniform(0.05, 0.25), rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.1)
        wall = np.minimum(s - np.abs(scene.x - x), 0.6 * s - np.abs(scene.y - y))
        roof = np.minimum(
            1.5 * s - np.abs(scene.x - x) - 1.6 * (y - 0.5 * s - scene.y), y - 0.5 * s - scene.y
        )
        roof = np.minimum(roof, scene.y - y + 1.5 * s)
        scene.lay(wall, pigment("flesh") * 0.9, 0.9 + 0.3 * (scene.x > x))
        scene.lay(roof, pigment(str(rng.choice(["vermilion", "umber", "slate"]))), 0.8)
        door = np.minimum(0.15 * s - np.abs(scene.x - x - 0.3 * s), 0.3 * s - np.abs(scene.y - y - 0.25 * s))
        scene.lay(door, pigment("bone black"), 1.2)
    trees(scene, horizon + 0.05, int(rng.integers(4, 9)))
    if rng.uniform() < 0.5:
        figure(scene, rng.uniform(0.45, 0.55), rng.uniform(0.2, 0.8), 0.16, halo=False)


def portrait(scene: Scene) -> None:
    """Paint one large figure before a dark ground, a curtain or a gold ground."""
    rng = scene.rng
    kind = rng.choice(["dark", "curtain", "gold"])
    if kind == "gold":
        leaf = pigment("lead-tin yellow") * 0.9
        tiles = np.minimum((8 * scene.x) % 1, (8 * scene.y) % 1)
        scene.lay(np.ones(scene.size), leaf, 0.95 + scene.rough(0.1, 0.02) - 0.2 * (tiles < 0.04))
    else:
        ground = pigment(str(rng.choice(["umber", "verdigris", "slate", "madder"])))
        scene.lay(np.ones(scene.size), ground, 0.55 + 0.35 * (1 - scene.y) + scene.rough(0.1, 0.1))
    if kind == "curtain":
        hang = np.abs(scene.x - 0.5) - rng.uniform(0.25, 0.35) + scene.rough(0.02, 0.1)
        scene.lay(hang, pigment(str(rng.choice(GARMENTS))), scene.folds(9, 0.15))
    figure(
        scene, rng.uniform(0.3, 0.38), rng.uniform(0.42, 0.58), rng.uniform(0.3, 0.38), halo=kind == "gold"
    )
    if rng.uniform() < 0.6:
        y = rng.uniform(0.82, 0.9)
        scene.lay(scene.y - y, pigment("umber"), 0.9 + scene.rough(0.15, 0.01) * np.ones(scene.size))
        book = np.minimum(0.12 - np.abs(scene.x - 0.3), 0.05 - np.abs(scene.y - y))
        scene.lay(book, pigment(str(rng.choice(GARMENTS))), 1.0 + 0.25 * (scene.y < y - 0.03))


def still_life(scene: Scene) -> None:
    """Paint fruit, bowls and a jug on a table with a cloth."""
    rng = scene.rng
    wall = pigment(str(rng.choice(["umber", "slate", "verdigris", "bone black"])))
    scene.lay(np.ones(scene.size), wall, 0.6 + 0.5 * scene.x + scene.rough(0.12, 0.15))
    edge = rng.uniform(0.55, 0.65)
    scene.lay(scene.y - edge, pigment("umber"), 1.0 + scene.rough(0.1, 0.02))
    cloth = np.minimum(
        scene.y - edge - 0.03, 0.3 - np.abs(scene.x - rng.uniform(0.3, 0.7) + scene.rough(0.03, 0.1))
    )
    scene.lay(cloth, pigment("lead white"), 0.15 + scene.folds(5, 0.6))
    light = (-0.6, -0.6)
    y, x, s = edge - 0.1, rng.uniform(0.25, 0.75), rng.uniform(0.13, 0.17)
    glaze = pigment(str(rng.choice(["slate", "ochre", "azurite"])))
    throat = np.minimum(0.4 * s - np.abs(scene.x - x), 0.9 * s - np.abs(scene.y - y + 1.2 * s))
    scene.lay(throat, glaze, 0.7 - 2 * (scene.x - x))
    scene.lay(scene.ellipse(y, x, 1.2 * s, s), glaze, scene.ball(y, x, 1.2 * s, s, light))
    scene.lay(scene.ellipse(y - 0.5 * s, x - 0.4 * s, 0.2 * s, 0.08 * s, 0.4), pigment("lead white"))
    fruits = ("vermilion", "lead-tin yellow", "ochre", "madder", "malachite", "ultramarine")
    for row in np.sort(rng.uniform(edge + 0.02, 0.9, rng.integers(6, 11))):
        x, r = rng.uniform(0.08, 0.92), rng.uniform(0.05, 0.1) * (0.7 + 0.5 * row)
        skin = pigment(str(rng.choice(fruits)))
        scene.lay(scene.ellipse(row + 0.6 * r, x + 0.4 * r, 0.5 * r, 1.3 * r), pigment("bone black"), 1.1)
        shade = scene.ball(row, x, r, r, light) + scene.rough(0.06, 0.01)
        scene.lay(scene.ellipse(row, x, r * rng.uniform(0.85, 1.1), r), skin, shade)
        glint = scene.ellipse(row - 0.4 * r, x - 0.4 * r, 0.13 * r, 0.13 * r)
        scene.lay(glint, pigment("lead white"))


def gathering(scene: Scene) -> None:
    """Paint two or three figures, with or without halos, in an arcade with a tiled floor."""
    rng = scene.rng
    stone = pigment(str(rng.choice(["slate", "flesh", "ochre"]))) * rng.uniform(0.6, 0.9)
    scene.lay(np.ones(scene.size), stone, 1.0 - 0.3 * scene.y + scene.rough(0.07, 0.03))
    count = int(rng.integers(2, 4))
    places = (np.arange(count) + 0.5) / count
    for x in places:
        arch = np.minimum(0.42 / count - np.abs(scene.x - x), scene.y - 0.1)
        arch = np.where(scene.y < 0.3, scene.ellipse(0.3, x, 0.24, 0.42 / count), arch)
        scene.lay(arch, pigment("azurite"), 0.7 + 0.9 * scene.y)
    floor = rng.uniform(0.75, 0.82)
    depth = 1 / np.clip(scene.y - floor + 0.12, 0.02, None)
    tiles = (np.floor((scene.x - 0.5) * depth) + np.floor(0.9 * depth)) % 2
    scene.lay(scene.y - floor, pigment("lead white") * 0.8, 0.55 + 0.4 * tiles)
    halo = bool(rng.uniform() < 0.6)
    for x in places:
        y = rng.uniform(0.28, 0.36)
        figure(scene, y, x + rng.uniform(-0.03, 0.03), rng.uniform(0.17, 0.2), halo=halo)


SCENES = {"landscape": landscape, "portrait": portrait, "still life": still_life, "gathering": gathering}


def painting(
    rng: np.random.Generator, size: tuple[int, int] = (256, 256), kind: str | None = None
) -> tuple[NDArray, NDArray]:
    """Paint a picture.

    Parameters
    ----------
    rng : Generator
        Source of all randomness; the same state gives the same painting.
    size : (Y, X)
        Pixels.
    kind : {"landscape", "portrait", "still life", "gathering"}, optional
        Subject of the painting; drawn at random if None.

    Returns
    -------
    painting : ndarray of shape (Y, X, 3)
        RGB in [0, 1].
    relief : ndarray of shape (Y, X)
        Thickness of the paint left by the brush, mean 0, standard deviation 1.

    Raises
    ------
    ValueError
        If `kind` is unknown.
    """
    kind = str(rng.choice(list(SCENES))) if kind is None else kind
    if kind not in SCENES:
        raise ValueError(f"Unknown kind of painting {kind!r}. Known: {', '.join(SCENES)}.")
    scene = Scene(rng, size)
    SCENES[kind](scene)
    return paint(rng, np.clip(scene.image, 0, 1))
