"""Pictures of the tutorials on noise, missing pixels and haze: damage, answer, truth, at the project's own
samples.

Run from the repository: ``python -m docs.pictures.damage``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import napari_bitsnet as nb
from docs.pictures.saving import save_picture
from napari_bitsnet.core.metrics import psnr
from napari_bitsnet.data import samples
from napari_bitsnet.data.contact_sheet import contact_sheet

IMAGES = Path(__file__).parents[1] / "images"


def draw(name: str, task: str, output: str, made: list, mask: np.ndarray | None = None) -> None:
    """Run a task on a sample and save damage, answer, truth and, for haze, the transmission."""
    observed, truth = made[0][0], made[1][0]
    result = nb.run(task, observed, mask=mask, device="cpu")
    answer = result.outputs[output]
    row = [observed, np.clip(answer, 0, 255).astype(np.uint8), truth]

    def decibels(image: np.ndarray) -> str:
        return f"{psnr(np.clip(image, 0, 255) / 255, truth / 255):.1f} dB"

    captions = [f"observed\n{decibels(observed)}", f"{output}\n{decibels(answer)}", "truth"]
    if "transmission" in result.outputs:
        row.append(result.outputs["transmission"])
        captions.append("transmission")
    sheet = contact_sheet([row], [captions], title=f"{task}: {result.provenance['method']}")
    save_picture(sheet, IMAGES / f"tutorial-{name}.webp")


if __name__ == "__main__":
    draw("denoise", "denoise", "clean", samples.noise())
    scratched = samples.missing_pixels()
    draw("inpaint", "inpaint", "clean", scratched, scratched[2][0] > 0)
    draw("dehaze", "dehaze", "clear", samples.haze())
