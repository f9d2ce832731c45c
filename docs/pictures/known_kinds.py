"""Pictures of the tutorials on reflections and on own kinds of images: at the project's own samples, with
truths.

Run from the repository: ``python -m docs.pictures.known_kinds``. The second picture trains a small network
for a few minutes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tifffile import imwrite

import napari_bitsnet as nb
from docs.pictures.saving import save_picture
from docs.pictures.stained import fibres, nuclei
from napari_bitsnet.core.metrics import psnr
from napari_bitsnet.data import samples
from napari_bitsnet.data.contact_sheet import contact_sheet
from napari_bitsnet.training.ytmt.ytmt import YTMT, YTMTTraining

IMAGES = Path(__file__).parents[1] / "images"
STEPS = 500
KINDS = {"nuclei": nuclei, "fibres": fibres}


def _decibels(image: NDArray, truth: NDArray) -> str:
    return f"{psnr(np.clip(image, 0, 1), truth):.1f} dB"


def reflection() -> None:
    """Separate the sample and draw it beside the truths."""
    image, *truths = (layer[0] for layer in samples.reflection())
    result = nb.run("reflection", image, device="cpu")
    row, captions = [image], ["photograph\n" + _decibels(image / 255, truths[0] / 255)]
    for name, truth in zip(("transmission", "reflection"), truths, strict=True):
        found = result.outputs[name].array
        row += [np.clip(found, 0, 255).astype(np.uint8), truth]
        captions += [f"{name}\n{_decibels(found / 255, truth / 255)}", "truth"]
    sheet = contact_sheet([row], [captions], title="reflection: ytmt")
    save_picture(sheet, IMAGES / "tutorial-reflection.webp")


def own_kinds() -> None:
    """Train on drawn cells, separate a mixture of others, and draw it beside the truths."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, draw in KINDS.items():
            (folder / kind).mkdir()
            for seed in range(16):
                imwrite(
                    folder / kind / f"{seed}.tif",
                    np.round(60000 * draw((256, 256), seed=seed)).astype(np.uint16),
                )
        config = YTMTTraining(
            steps=STEPS, width=16, levels=3, size=96, variant="UAS", rate=2e-3, validate_every=STEPS
        )
        trainer = YTMT(
            config, {"source": [folder / kind for kind in KINDS]}, folder=folder / "run", device="cpu"
        )
        trainer.check()
        for _ in trainer.steps():
            pass
        trainer.export(folder / "cells.safetensors")
        truths = [draw((256, 256), seed=100) for draw in KINDS.values()]
        mixture = 0.5 * truths[0] + 0.5 * truths[1]
        result = nb.separate(
            mixture, method="ytmt", settings={"weights": folder / "cells.safetensors"}, device="cpu"
        )
        row, captions = [mixture], ["mixture"]
        for kind, source, truth in zip(KINDS, 2 * result.sources, truths, strict=True):
            row += [source, truth]
            gain = f"{psnr(np.clip(source, 0, 1), truth) - psnr(mixture, truth):+.1f} dB over the mixture"
            captions += [f"{kind}\n{gain}", "truth"]
        row = [np.clip(each, 0, 1) for each in row]
        sheet = contact_sheet([row], [captions], title="separate: ytmt")
        save_picture(sheet, IMAGES / "tutorial-own-kinds.webp")


if __name__ == "__main__":
    reflection()
    own_kinds()
