"""Does registration find a turned, scaled and shifted guide, and does its score tell right from wrong?

Data: registered pairs ``KIND_NN_guide.png`` and ``KIND_NN_hidden.png`` of 256 × 256 pixels (``--data``). Each
guide is moved by a turn of 4 to 8 degrees, a scale of 0.9 to 1.1 and a shift of 8 to 23 pixels, without more
(affine), with perspective (projective) or with a lens's distortion (radial). Wrong guides are those of
another pair, and the own one mirrored. Odd pairs were tuned on; even pairs were held back.
Command: ``python -m benchmarks.studies.registration --data DIR --kinds retina nir --pairs even``.
Answer: see ``docs/tutorials/registration.md``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates

import napari_bitsnet as nb
from benchmarks.studies import arguments_of

Places = Callable[[NDArray], NDArray]
SIZE = 256
CORNERS = np.array([[0, 0], [0, SIZE - 1], [SIZE - 1, 0], [SIZE - 1, SIZE - 1]], dtype=float).T
VARIANTS = ("affine", "projective", "radial")
PERSPECTIVE, DISTORTION = 0.03, 0.03
"""Largest change of the scale from the middle to a side, and of the radius there, as parts."""
SAME_EYE = {3, 4, 5}
"""Retinas that show one eye: the guide of one is nearly right for another."""


def movement(rng: np.random.Generator, variant: str) -> Places:
    """Where pixels (2, …) of the fixed image lie in the moving one."""
    angle = np.deg2rad(rng.uniform(4, 8) * rng.choice([-1, 1]))
    scale, heading = np.exp(rng.uniform(-0.1, 0.1)), rng.uniform(0, 2 * np.pi)
    shift = rng.uniform(8, 23) * np.array([np.sin(heading), np.cos(heading)])
    tilt = rng.uniform(-PERSPECTIVE, PERSPECTIVE, 2) if variant == "projective" else np.zeros(2)
    bent = rng.choice([-1, 1]) * DISTORTION if variant == "radial" else 0.0
    c, s, half, middle = scale * np.cos(angle), scale * np.sin(angle), SIZE / 2, (SIZE - 1) / 2

    def places(pixels: NDArray) -> NDArray:
        u = (pixels - middle) / half
        u = u * (1 + bent * (u**2).sum(axis=0))
        v = np.stack([c * u[0] - s * u[1], s * u[0] + c * u[1]]) / (1 + tilt[0] * u[0] + tilt[1] * u[1])
        return v * half + middle + shift.reshape(2, *[1] * (u.ndim - 1))

    return places


def moved(image: NDArray, places: Places) -> NDArray:
    """The image that shows at ``places(q)`` what the given one shows at q; its border goes on."""
    p = np.mgrid[:SIZE, :SIZE].astype(float)
    q = p.copy()
    for _ in range(40):  # turns and scales by a tenth: a contraction
        q = p - (places(q) - q)
    channels = image.reshape(SIZE, SIZE, -1).astype(float)
    taken = [map_coordinates(c, q, order=1, mode="nearest") for c in np.moveaxis(channels, -1, 0)]
    return np.stack(taken, axis=-1).astype(image.dtype).reshape(image.shape)


def rows(data: Path, kind: str, remainder: int, model: str, *, wrong: bool) -> Iterator[dict]:
    """Errors of right guides at the corners, in pixels, and scores of all."""
    numbers = sorted(int(p.name.split("_")[-2]) for p in data.glob(f"{kind}_??_guide.png"))

    def read(number: int, what: str) -> NDArray:
        return np.asarray(Image.open(data / f"{kind}_{number:02d}_{what}.png"))

    for number in (n for n in numbers if n % 2 == remainder):
        guide, hidden = read(number, "guide"), read(number, "hidden")
        for index, variant in enumerate(VARIANTS):
            places = movement(np.random.default_rng([number, index, sum(map(ord, kind))]), variant)
            start = time.process_time()
            found = nb.register(moved(guide, places), hidden, model=model)  # type: ignore[arg-type]
            seconds = time.process_time() - start
            at = found.places()[:, [0, 0, -1, -1], [0, -1, 0, -1]]
            error = float(np.sqrt(((at - places(CORNERS)) ** 2).sum(axis=0)).mean())
            yield {
                "kind": kind,
                "pair": number,
                "variant": variant,
                "error": error,
                "score": found.score,
                "seconds": seconds,
            }
        same = SAME_EYE if kind == "retina" and number in SAME_EYE else {number}
        other = next(n for n in [*numbers[numbers.index(number) :], *numbers] if n not in same)
        for name, image in (("other", read(other, "guide")), ("mirrored", guide[:, ::-1])) if wrong else ():
            yield {"kind": kind, "pair": number, "variant": name, "score": nb.register(image, hidden).score}


def main() -> None:
    parser = arguments_of(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", default=["nir", "retina", "mri_pd_t1", "mri_pd_t2", "mri_ct"])
    parser.add_argument("--pairs", choices=["odd", "even"], default="even")
    parser.add_argument("--model", default="affine")
    parser.add_argument("--wrong", action="store_true", help="Register wrong guides as well.")
    options = parser.parse_args()
    for kind in options.kinds:
        for row in rows(options.data, kind, options.pairs == "odd", options.model, wrong=options.wrong):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
