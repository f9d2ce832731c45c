"""Pictures of the tutorials on watermarks, segmentation and dual energy, at the project's own samples.

Run from the repository: ``python -m docs.pictures.layers``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import napari_bitsnet as nb
from docs.pictures.saving import save_picture
from napari_bitsnet.core.metrics import psnr
from napari_bitsnet.data.contact_sheet import contact_sheet, to_display
from napari_bitsnet.data.dual_energy import simulate_dual_energy
from napari_bitsnet.data.marks import lay_mark
from napari_bitsnet.data.outlines import outlined
from napari_bitsnet.data.photographs import bundled_photograph

IMAGES = Path(__file__).parents[1] / "images"


def watermark() -> None:
    """Three photographs with one mark, and one with a box."""
    photographs = [bundled_photograph(name, 256) for name in ("astronaut", "coffee", "chelsea")]
    made = lay_mark(photographs, seed=1)
    found = nb.run("watermark", made.images, device="cpu").outputs
    single = nb.run("watermark", made.images[0], box=made.box, device="cpu").outputs
    inside = made.opacity > 0

    def decibels(image: NDArray, m: int) -> str:
        return f"{psnr(image[inside] / 255, made.clean[m][inside] / 255):.1f} dB in the mark"

    rows = [
        [*made.images, to_display(found["mask"], 0, 1)],
        [*(_grey_levels(found[f"clean_{m + 1}"]) for m in range(3)), _grey_levels(single["clean"])],
    ]
    captions = [
        [*(f"marked {m + 1}\n{decibels(image, m)}" for m, image in enumerate(made.images)), "opacity found"],
        [
            *(f"clean {m + 1}\n{decibels(found[f'clean_{m + 1}'], m)}" for m in range(3)),
            f"clean 1, from it alone with a box\n{decibels(single['clean'], 0)}",
        ],
    ]
    _save("watermark", contact_sheet(rows, captions, title="watermark: shared edges"))


def segment() -> None:
    """Two photographs with two scribbles each."""
    rows, captions = [], []
    for name in ("coffee", "camera"):
        drawn = outlined(name, 256)
        image = np.round(255 * np.atleast_3d(drawn.image) * np.ones(3)).astype(np.uint8)
        found = nb.run("segment", image, hints=drawn.hints, device="cpu").outputs
        marks = image.copy()
        marks[drawn.hints == 1], marks[drawn.hints == 2] = (230, 40, 40), (50, 90, 240)
        cut = found["labels"] == 1
        overlap = (cut & drawn.mask).sum() / (cut | drawn.mask).sum()
        rows.append(
            [
                marks,
                to_display(found["mask"], 0, 1),
                *(_grey_levels(found[k]) for k in ("foreground", "background")),
            ]
        )
        captions.append([name, f"mask\nIoU {overlap:.2f}", "foreground", "background"])
    _save("segment", contact_sheet(rows, captions, title="segment: colours and random walk"))


def dual_energy() -> None:
    """A simulated chest at two energies: inverted only, denoised, and true thicknesses."""
    made = simulate_dual_energy(1, 256)
    options = {"weights": made.attenuation, "mixing": "attenuation", "i0": made.i0, "device": "cpu"}
    plain = nb.run("multi_mixture", made.radiographs, settings={"rounds": 0}, **options)
    clean = nb.run("multi_mixture", made.radiographs, settings={"noise": 0.01}, **options)
    rows, captions = [[*made.radiographs]], [["low energy", "high energy"]]
    for words, images in (
        ("inverted", plain.sources),
        ("denoised together", clean.sources),
        ("truth", made.thickness),
    ):
        errors = np.sqrt(((images - made.thickness) ** 2).mean(axis=(1, 2)))
        told = ["" if words == "truth" else f"\nerror {error:.2f} cm" for error in errors]
        rows.append(
            [
                to_display(i, float(t.min()), float(t.max()))
                for i, t in zip(images, made.thickness, strict=True)
            ]
        )
        captions.append(
            [f"{what}, {words}{text}" for what, text in zip(("soft tissue", "bone"), told, strict=True)]
        )
    _save(
        "dual-energy", contact_sheet(rows, captions, title="multi_mixture: two radiographs at two energies")
    )


def _grey_levels(image: NDArray) -> NDArray:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def _save(name: str, picture: NDArray) -> None:
    save_picture(picture, IMAGES / f"tutorial-{name}.webp")


if __name__ == "__main__":
    watermark()
    segment()
    dual_energy()
