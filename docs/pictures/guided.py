"""Pictures of the tutorials on a two-sided panel, a concealed design, its support, a stack and a scribbled
double exposure.

Run from the repository: ``python -m docs.pictures.guided [panel] [concealed] [support] [stack] [scribbles]``.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

import napari_bitsnet as nb
from benchmarks.quality.drawn_scribbles import draw_scribbles
from benchmarks.studies.stack import mixed_stack
from docs.pictures.saving import save_picture
from napari_bitsnet.data.contact_sheet import contact_sheet, to_display
from napari_bitsnet.data.panel import simulate_panel
from napari_bitsnet.data.photographs import bundled_photograph
from napari_bitsnet.data.synthetic import head_volume

IMAGES = Path(__file__).parents[1] / "images"


def save(name: str, rows: list, captions: list, title: str) -> None:
    """Write a contact sheet."""
    save_picture(contact_sheet(rows, captions, title=title), IMAGES / f"tutorial-{name}.webp")


def gain(sources: np.ndarray, truths: np.ndarray, mixture: np.ndarray) -> str:
    """Offset-free gain in words."""
    return f"{nb.metrics.score(sources, truths, mixture)['mean_gain_offset_free']:+.1f} dB"


def panel() -> None:
    """Both sides, and how far to trust them."""
    made = simulate_panel(3, (288, 224))
    found = nb.run("xray", made.mixture, guides=made.guides)
    out = found.outputs
    error = np.abs(out["source_1"] - made.truths[0] - np.mean(out["source_1"] - made.truths[0]))
    top = float(np.quantile(error, 0.999))
    rows = [
        [made.mixture, *made.guides, *made.truths],
        [
            out["unexplained"],
            to_display(out["uncertainty"], 0, top),
            to_display(error, 0, top),
            out["source_1"],
            out["source_2"],
        ],
    ]
    captions = [
        ["X-ray", "front", "back", "front, truth", "back, truth"],
        [
            "unexplained",
            "uncertainty (90 %)",
            f"true error: within it\nat {np.mean(error <= out['uncertainty']):.0%} of the pixels",
            "source 1",
            "source 2",
        ],
    ]
    title = f"xray, two guides: {gain(found.sources, made.truths, made.mixture)} over the X-ray itself"
    save("two-sided-panel", rows, captions, title)


def concealed() -> None:
    """One photograph, and what it does not show."""
    made = simulate_panel(7, 256)
    found = nb.run("xray", made.mixture, guides=[made.guides[0], None], settings={"correct": False})
    out = found.outputs
    truth = made.truths[0] - made.explained[0]
    rows = [[made.mixture, made.guides[0], out["source_1"], out["source_2"], truth, made.truths[1]]]
    captions = [
        [
            "X-ray",
            "photograph",
            "source 1: what\nthe photograph explains",
            "source 2: all else",
            "truth: what the front hides",
            "truth: the other side",
        ]
    ]
    title = f"xray, one guide: {gain(found.sources, made.truths, made.mixture)} over the X-ray itself"
    save("concealed-design", rows, captions, title)


def support() -> None:
    """Weave and grain, out of the way of what hides behind them."""
    rows, captions = [], []
    for seed in (1002, 1000):
        made = simulate_panel(seed, 256)
        out = nb.run("xray", made.mixture, guides=made.guides, support=True).outputs
        true = made.parts["support"].sum(axis=0)
        right = np.corrcoef(out["support"].ravel(), true.ravel())[0, 1]
        rows.append(
            [made.mixture, out["unexplained"] + out["support"], out["unexplained"], out["support"], true]
        )
        captions.append(
            ["X-ray", "unexplained", "the same with --support", f"support (r = {right:.2f})", "true support"]
        )
    save(
        "support",
        rows,
        captions,
        "xray, two guides: wood grain and canvas weave taken out of what is unexplained",
    )


def stack() -> None:
    """Slices of a head, mixed slice with slice, each with a guide of another contrast."""
    mixture, truths, guides = mixed_stack(head_volume(0, 40, 192), 14, 10, 5)
    found = nb.run("xray", mixture, guides=list(guides), axes="ZYX", preset="quick")
    middle = 2
    rows = [
        [mixture[middle], guides[0][middle], guides[1][middle]],
        [found.sources[0, middle], found.sources[1, middle], found.outputs["unexplained"][middle]],
        [truths[0, middle], truths[1, middle]],
    ]
    captions = [
        ["mixture, slice 2", "guide 1: another contrast", "guide 2"],
        ["source 1", "source 2", "unexplained"],
        ["truth 1", "truth 2"],
    ]
    words = gain(found.sources[:, middle], truths[:, middle], mixture[middle])
    save("mri-stack", rows, captions, f"xray on a stack of five slices, slice 2: {words}")


def scribbles() -> None:
    """A double exposure with twenty scribbles."""
    pair = np.stack([bundled_photograph(name, 256) for name in ("astronaut", "coffee")])
    truths = (pair / 2).astype(np.float32)
    mixture = truths.sum(axis=0)
    labels = draw_scribbles(truths, 20)
    found = nb.separate(mixture, hints=labels, low=0.0, high=1.0)
    shown = to_display(mixture, 0, 1)
    shown[labels == 1], shown[labels == 2] = (255, 60, 60), (60, 160, 255)
    rows = [
        [
            to_display(mixture, 0, 1),
            shown,
            *(to_display(s) for s in found.sources),
            *(to_display(p) for p in pair),
        ]
    ]
    captions = [["double exposure", "twenty scribbles", "source 1", "source 2", "truth 1", "truth 2"]]
    save("scribbles", rows, captions, f"separate with hints: {gain(found.sources, truths, mixture)}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    drawings = (panel, concealed, support, stack, scribbles)
    wanted = sys.argv[1:] or [draw.__name__ for draw in drawings]
    for draw in drawings:
        if draw.__name__ in wanted:
            draw()
