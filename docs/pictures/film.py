"""Picture of the tutorial on films: two photographs that pass before each other, frame by frame and as a
film.

Run from the repository: ``python -m docs.pictures.film``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import napari_bitsnet as nb
from benchmarks.quality.cases.films import film_case, flicker
from docs.pictures.saving import save_picture
from napari_bitsnet.data.contact_sheet import contact_sheet, to_display

SHOWN = (0, 3, 7)
IMAGE = Path(__file__).parents[1] / "images" / "tutorial-film.webp"


def main() -> None:
    """Separate one film both ways and draw the sources of three frames, and how much of their errors
    changes."""
    case = film_case("coffee", "chelsea", 128)
    alone = np.stack([nb.separate(f, low=0, high=1, device="cpu").sources for f in case.mixture], axis=1)
    film = nb.separate(case.mixture, device="cpu", **case.options).sources

    def ordered(sources: NDArray) -> NDArray:
        errors = [np.abs(s - case.truths).sum() for s in (sources, sources[::-1])]
        return sources if errors[0] <= errors[1] else sources[::-1]

    alone, film = ordered(alone), ordered(film)
    rows = [[to_display(case.mixture[t], 0, 1) for t in SHOWN]]
    captions = [[f"frame {t + 1}" for t in SHOWN]]
    for words, sources in (("alone", alone), ("as a film", film)):
        restless = 2 * flicker(sources, case.truths)
        rows.append([to_display(sources[0, t], 0, 0.5) for t in SHOWN])
        captions.append(
            [f"source 1, {words}\n{_gain(sources, case, t)}, flicker {restless:.3f}" for t in SHOWN]
        )
    save_picture(contact_sheet(rows, captions, title="film: two photographs in motion"), IMAGE)


def _gain(sources: NDArray, case, t: int) -> str:
    found = nb.metrics.score(sources[:, t], case.truths[:, t], case.mixture[t], lo=0, hi=1)
    return f"{found['mean_gain_offset_free']:+.1f} dB"


if __name__ == "__main__":
    main()
