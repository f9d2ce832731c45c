"""Watermark cases: photographs of scikit-image or of a folder, scored inside the mark only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cases import Maker
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.marks import lay_mark
from napari_bitsnet.data.photographs import bundled_photograph, fit

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")
WHITE, BLUE = (1.0, 1.0, 1.0), (0.2, 0.4, 0.8)
KINDS = {
    "white, opacity .5": (0.5, WHITE),
    "white, opacity .3": (0.3, WHITE),
    "black, opacity .5": (0.5, (0.0, 0.0, 0.0)),
    "grey, opacity .5": (0.5, (0.5, 0.5, 0.5)),
    "red, opacity .5": (0.5, (0.8, 0.1, 0.1)),
    "white, opaque": (1.0, WHITE),
}
"""Opacity and colour of the marks over photographs of a folder. Methods are told neither."""


def mark_cases(size: int = 256, n: int = 4) -> Iterator[Maker]:
    """Yield marked photographs: three that share a mark, and one with a box; half opaque and opaque.

    Parameters
    ----------
    size : int
        Side of the images in pixels.
    n : int
        Cases a group, at most.
    """
    several = {
        "watermark, three photographs, opacity .5": (0.5, WHITE),
        "watermark, three photographs, opacity .3": (0.3, WHITE),
        "watermark, three photographs, opacity .5, blue": (0.5, BLUE),
        "watermark, three photographs, opaque": (1.0, WHITE),
    }
    for group, (opacity, colour) in several.items():
        for k in range(min(n, 3)):
            names = [PHOTOGRAPHS[(k + i) % 3] for i in range(3)]
            yield group, partial(_marked, names, group, size, opacity, colour, k)
    for words, opacity in (("opacity .5", 0.5), ("opaque", 1.0)):
        group = f"watermark, one photograph with a box, {words}"
        for k, name in enumerate(PHOTOGRAPHS[:n]):
            yield group, partial(_marked, [name], group, size, opacity, WHITE, k)


def photograph_mark_cases(paths: Sequence[Path], size: int, n: int) -> Iterator[Maker]:
    """Yield `n` cases of each of `KINDS`, with one photograph (and a box) and with three; each has a mark of
    its own."""
    from skimage.io import imread

    for n_images, words in ((1, "one photograph with a box"), (3, "three photographs")):
        for k in range(min(n, len(paths) // 3)):
            for kind, (opacity, colour) in KINDS.items():
                chosen = {path.stem: path for path in paths[3 * k : 3 * k + n_images]}
                group = f"watermark, reserved, {words}, {kind}"
                load = lambda name, chosen=chosen: fit(imread(chosen[name])[..., :3], size)  # noqa: E731
                yield group, partial(_marked, list(chosen), group, size, opacity, colour, k, load)


def _marked(
    names: Sequence[str],
    group: str,
    size: int,
    opacity: float,
    colour: Sequence[float],
    seed: int,
    load: Callable[[str], NDArray] | None = None,
) -> Case:
    """The first photograph is scored, where the mark is; the ceiling knows opacity and colour."""
    photographs = [bundled_photograph(name, size) if load is None else load(name) for name in names]
    made = lay_mark(photographs, opacity=opacity, colour=colour, seed=seed)
    inside = made.opacity > 0
    image, clean = made.images[0], made.clean[0].astype(np.float32)
    cover = made.opacity[..., None]
    below = (image - cover * np.array(made.colour)) / np.maximum(1 - cover, 1e-3)
    single = len(names) == 1

    def biharmonic(missing: NDArray) -> NDArray:
        from skimage.restoration import inpaint_biharmonic

        return 255 * inpaint_biharmonic(image / 255, missing, channel_axis=-1)[None]

    baselines = {"biharmonic, mark known": partial(biharmonic, inside)}
    if single:
        y0, x0, y1, x1 = made.box
        box = np.zeros_like(inside)
        box[y0:y1, x0:x1] = True
        baselines["biharmonic, whole box"] = partial(biharmonic, box)

    return Case(
        ", ".join(names),
        group,
        "watermark",
        image if single else made.images,
        np.where(inside[..., None], clean, np.nan)[None],
        options={"box": made.box} if single else {},
        shares=False,
        scored_mixture=image.astype(np.float32),
        lo=0.0,
        hi=255.0,
        ceiling=np.clip(below, 0, 255).astype(np.float32)[None] if opacity < 1 else None,
        scored=("clean",) if single else ("clean_1",),
        baselines=baselines,
    )
