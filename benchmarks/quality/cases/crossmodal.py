"""Registered pairs of a photograph and another modality: the hidden images of two pairs are superimposed, the
photographs are guides.

The folder ``crossmodal`` of the measuring images holds ``KIND_NN_guide.png`` and ``KIND_NN_hidden.png``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cases import Maker
from napari_bitsnet.data.case import Case

Pair = tuple[str, int, int]
"""Kind, and the numbers of both images."""
KINDS = ("nir", "thermal", "retina", "mri_pd_t1", "mri_pd_t2", "mri_ct", "mri_pet")
"""Near infrared, thermal, retinal angiogram of a colour photograph; T1, T2, CT and PET of a magnetic
resonance image."""
TUNED: tuple[Pair, ...] = (
    *(("nir", i, j) for i, j in ((1, 2), (3, 4), (1, 3), (2, 4))),
    *(("thermal", i, j) for i, j in ((1, 3), (3, 5), (1, 5))),
    *(("retina", i, j) for i, j in ((1, 3), (3, 5), (1, 5))),
    *((kind, 1, 3) for kind in KINDS[3:]),
)
"""Pairs on which the numbers of guided separation were chosen."""
HELD_BACK: tuple[Pair, ...] = (
    *(("nir", i, j) for i, j in ((5, 6), (7, 8), (5, 7), (6, 8))),
    *(("thermal", i, j) for i, j in ((2, 4), (4, 6), (2, 6))),
    *(("retina", i, j) for i, j in ((2, 4), (4, 6), (2, 6))),
    *((kind, 2, 4) for kind in KINDS[3:]),
)
"""Pairs of other images; the design was looked at on them. Of the numbers, only those on images that
look alike and on constants were chosen with them in view."""
ACROSS: tuple[Pair, ...] = tuple(("nir", i, i + 4) for i in (1, 2, 3, 4))
"""Near-infrared pairs of one tuned and one held-back image each; numbers were chosen with a look at them,
too."""
IMAGES = {"nir": 8, "thermal": 6, "retina": 6, **dict.fromkeys(KINDS[3:], 4)}
"""Number of images of each kind."""
OTHERS: tuple[Pair, ...] = tuple(
    (kind, i, j)
    for kind, n in IMAGES.items()
    for i, j in combinations(range(1, n + 1), 2)
    if (kind, i, j) not in {*TUNED, *HELD_BACK, *ACROSS}
)
"""All other pairs of these images; how far images that look alike count was chosen on them."""


def crossmodal_cases(data: Path, size: int) -> Iterator[Maker]:
    """Yield the held-back pairs, with both guides and with the first one only."""
    for kind, i, j in HELD_BACK:
        if (data / f"{kind}_{j:02d}_hidden.png").is_file():
            for words, given in (("two guides", (0, 1)), ("one guide", (0,))):
                group = f"crossmodal {kind}, {words}"
                yield group, partial(crossmodal_case, data, (kind, i, j), size, given, group)


def crossmodal_case(
    data: Path, pair: Pair, size: int, given: Sequence[int] = (0, 1), group: str = "crossmodal"
) -> Case:
    """Superimpose the hidden images of a pair, half of each; `given` are the sources that have their
    guide."""
    kind, *numbers = pair
    truths = np.stack([_read(data / f"{kind}_{n:02d}_hidden.png", size) for n in numbers]) / 2
    guides = [_read(data / f"{kind}_{n:02d}_guide.png", size) for n in numbers]
    found = [guide if k in given else None for k, guide in enumerate(guides)]
    return Case(
        f"{kind} {numbers[0]} + {numbers[1]}",
        group,
        "xray",
        truths.sum(axis=0),
        truths,
        guides=found,
        ceiling=colour_ceiling(truths, found),
    )


def colour_ceiling(truths: NDArray, guides: Sequence[NDArray | None]) -> NDArray:
    """Return the functions of the guides' colours that fit the truths best by least squares, (K, Y, X).

    What they leave of the mixture is divided evenly if all sources have guides; otherwise it is that of the
    others.
    """
    import torch

    from napari_bitsnet.core.colours import ColourBasis, fit_centres

    explained = np.zeros_like(truths)
    for k, guide in enumerate(guides):
        if guide is None:
            continue
        bands = guide if guide.ndim == 3 else guide[..., None]
        image = torch.from_numpy(bands).permute(2, 0, 1)[None].float()
        features = ColourBasis(fit_centres(image, 96, seed=0), 0.06)(image[0])
        columns = features.flatten(1).double()
        columns = columns - columns.mean(dim=1, keepdim=True)
        target = torch.from_numpy(truths[k]).double().flatten()
        gram = columns @ columns.T + 1e-3 * torch.eye(len(columns), dtype=torch.float64)
        part = (torch.linalg.solve(gram, columns @ target) @ columns).view(truths[k].shape).numpy()
        explained[k] = part - part.mean() + truths[k].mean()
    rest = truths.sum(axis=0) - explained.sum(axis=0)
    alone = [k for k, guide in enumerate(guides) if guide is None]
    takers = alone or list(range(len(truths)))
    for k in takers:
        explained[k] += rest / len(takers)
    return explained


def _read(path: Path, size: int) -> NDArray:
    """Return an image in [0, 1], reduced to `size` pixels a side by means of blocks if that divides its own
    size."""
    from skimage.io import imread
    from skimage.transform import resize_local_mean

    image = imread(path).astype(np.float32) / 255
    return np.asarray(
        resize_local_mean(image, (size, size), channel_axis=-1 if image.ndim == 3 else None), np.float32
    )
