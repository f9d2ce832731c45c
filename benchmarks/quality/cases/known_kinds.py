"""Mixtures of known kinds of images: reflections, and stains of a field that was not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.quality.cases import Maker
from napari_bitsnet.data.case import Case

FIELD = 2
"""Field 1 of the fluorescence images is for training."""

STAINS = ("dna", "actin", "spots")

WEIGHTS = {2: ((0.5, 0.5), (0.35, 0.65), (0.65, 0.35)), 3: ((1 / 3, 1 / 3, 1 / 3), (0.3, 0.45, 0.25))}
"""Weights of the stains' mixtures, by the number of stains."""


def known_kind_cases(data: Path) -> Iterator[Maker]:
    """Yield the triplets as the task reflection, and mixtures of two and three stains of field 2.

    Parameters
    ----------
    data : Path
        Folder with any of ``reflection`` and ``fluorescence``.
    """
    for path in sorted((data / "reflection").glob("*_mixture.png")):
        yield "known kinds, reflection", partial(_triplet, path)
    if (data / "fluorescence").is_dir():
        for count, every in WEIGHTS.items():
            group = f"known kinds, own_kinds, {' + '.join(STAINS[:count])}"
            for weights in every:
                yield group, partial(_stains, group, data / "fluorescence", weights)


def _triplet(path: Path) -> Case:
    from skimage.io import imread

    stem = path.name.removesuffix("_mixture.png")
    both = [imread(path.with_name(f"{stem}_{kind}.png"))[..., :3] for kind in ("transmission", "reflection")]
    truths = np.stack(both).astype(np.float32)
    options = {"low": 0.0, "high": 255.0}
    mixture = imread(path)[..., :3]
    return Case(
        stem, "known kinds, reflection", "reflection", mixture, truths,
        options=options, shares=False, lo=0.0, hi=255.0,
    )  # fmt: skip


def _stains(group: str, folder: Path, weights: tuple[float, ...]) -> Case:
    from skimage.io import imread

    names = STAINS[: len(weights)]
    images = [imread(folder / f"field{FIELD}_{name}.png").astype(np.float32) for name in names]
    truths = np.stack([w * image for w, image in zip(weights, images, strict=True)])
    words = "/".join(f"{weight:.2f}" for weight in weights)
    options = {"n_sources": len(names)}
    return Case(f"field {FIELD}, {words}", group, "separate", truths.sum(axis=0), truths, options=options)
