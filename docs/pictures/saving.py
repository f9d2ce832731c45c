"""Save pictures of the pages as WebP: the wheel has many of them, for the dock's help.

Screenshots that were saved before are converted with ``python -m docs.pictures.saving PICTURE...``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH = 1100
"""Widest picture in pixels. Pages show it about 740 pixels wide, the dock's help 700."""

QUALITY = 70
"""Text of 9 points in a screenshot is as readable as in the viewer."""


def save_picture(picture: Image.Image | NDArray, path: Path) -> None:
    """Save a picture (or an array (Y, X, 3) of uint8) as WebP, no wider than `WIDTH`.

    Parameters
    ----------
    picture : Image or ndarray
        Picture in colours.
    path : Path
        Its ending becomes ``.webp``.
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
    image = image.convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    path = path.with_suffix(".webp")
    image.save(path, quality=QUALITY, method=6)
    print(f"{path}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with Image.open(name) as old:
            save_picture(old, Path(name))
