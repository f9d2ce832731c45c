"""The wide picture of the README and of the home page: the demo's X-ray, its photographs, and the separated
sources beside the truth.

Run from the repository: ``python -m docs.pictures.readme``; it takes about a minute of one core.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_bitsnet.api.demo import demo_cases, judge
from napari_bitsnet.api.running import finish
from napari_bitsnet.data.contact_sheet import to_display

PATH = Path(__file__).parents[1] / "images" / "readme.png"
CELL, MARGIN = 256, 8  # pixels; a small picture is shown as large as it was computed
FONT_SIZE, LINE = 21, 30  # pixels; about 13 and 18 where the picture is shown 800 pixels wide


def strip(large: NDArray, rows: list[list[NDArray]], captions: list[list[str]], first: str) -> Image.Image:
    """Draw one large picture beside rows of small ones, each above its caption.

    Parameters
    ----------
    large : ndarray of shape (Y, X, 3), uint8
        Drawn as high as all rows together, without the last caption.
    rows : list of lists of ndarray of shape (Y, X, 3), uint8
        Small pictures, row by row.
    captions : list of lists of str
        One for each small picture.
    first : str
        Caption of the large picture.
    """
    side = len(rows) * (CELL + LINE) - LINE
    sheet = Image.new(
        "RGB", (side + len(rows[0]) * (CELL + MARGIN) + 2 * MARGIN, side + LINE + MARGIN), "white"
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    sheet.paste(Image.fromarray(large).resize((side, side), Image.Resampling.LANCZOS), (MARGIN, MARGIN))
    draw.text((MARGIN, MARGIN + side + 2), first, "black", font)
    for i, (row, texts) in enumerate(zip(rows, captions, strict=True)):
        top = MARGIN + i * (CELL + LINE)
        for j, (picture, text) in enumerate(zip(row, texts, strict=True)):
            left = side + 2 * MARGIN + j * (CELL + MARGIN)
            sheet.paste(Image.fromarray(picture).resize((CELL, CELL)), (left, top))
            draw.text((left, top + CELL + 2), text, "black", font)
    return sheet


if __name__ == "__main__":
    demo = next(demo_cases(CELL))
    outcome = judge(demo, finish(demo.start("cpu")))
    truths, score = demo.case.truths, outcome.scores["answer"]
    rows, captions = [], []
    for k, source in enumerate(score["assignment"]):
        low, high = float(truths[k].min()), float(truths[k].max())
        # the image hardly shows how brightness is divided: the mean is the truth's, as in the offset-free
        # gain
        found = outcome.result.sources[source]
        found = found + np.mean(truths[k] - found)
        rows.append(
            [to_display(demo.case.guides[k]), to_display(found, low, high), to_display(truths[k], low, high)]
        )
        captions.append(
            [
                f"photograph {k + 1}",
                f"source {k + 1} ({score['gain_offset_free'][k]:+.1f} dB)",
                f"true source {k + 1}",
            ]
        )
    sheet = strip(to_display(demo.case.mixture), rows, captions, "X-ray of both painted sides (simulated)")
    sheet.quantize(256, dither=Image.Dither.NONE).save(PATH, optimize=True)
    print(PATH, sheet.size)
