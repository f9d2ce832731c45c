"""Two mixtures as cameras and microscopes record them: tone curve, compression, vignetting, clipping, shift,
bleed-through."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cases import Maker
from napari_bitsnet.core.encoding import Transfer
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.case_makers import WEIGHTS
from napari_bitsnet.data.photographs import fit

if TYPE_CHECKING:
    from napari_bitsnet.api import Result

PAIRS, SEED = 10, 1
CURVE = Transfer(255.0)
QUALITY = 90  # of JPEG
EXPOSURE = 1.4  # of clipped mixtures
SHADING = 0.4  # loss of light in the corners of the second mixture
STAINS = ("dna", "actin", "spots")
FIELD = 2  # of the fluorescence images; field 1 serves for tuning
BLEEDING = {
    "weak": ((1.0, 0.2), (0.1, 1.0)),
    "strong": ((1.0, 0.5), (0.3, 1.0)),
    "mutual": ((1.0, 0.6), (0.6, 1.0)),
}
AS_STORED = "plain inversion, weights of stored values"


class LightCase(Case):
    """Case whose answers are compared as light, on which the weights act."""

    def answer(self, result: Result) -> NDArray:
        """See `Case.answer`."""
        return CURVE.to_light(super().answer(result))


def recorded_photographs(paths: Sequence[Path], size: int) -> Iterator[Maker]:
    """Yield ten pairs of photographs, each in every kind of recording.

    Parameters
    ----------
    paths : sequence of Path
        Photographs on which nothing was chosen.
    size : int
        Side of the images in pixels.
    """
    order = np.random.default_rng(SEED).permutation(len(paths))
    for words, weights in WEIGHTS.items():
        for kind, record in RECORDINGS.items():
            group = f"two mixtures, {kind}, {words} weights"
            for k in range(min(PAIRS, len(paths) // 2)):
                pair = [paths[i] for i in order[2 * k : 2 * k + 2]]
                yield group, partial(_photographs, group, pair, size, weights, record)


def _photographs(
    group: str, paths: Sequence[Path], size: int, weights: NDArray, record: Callable[..., Case]
) -> Case:
    from skimage.io import imread

    images = [fit(imread(path)[..., :3], size).astype(np.float64) * 255 for path in paths]
    return record(f"{paths[0].stem} + {paths[1].stem}", group, np.stack(images), weights)


def _case(
    name: str,
    group: str,
    truths: NDArray,
    observed: NDArray,
    ceiling: NDArray,
    *,
    rule: str = "sum-to-one",
    kind: type[Case] = Case,
) -> Case:
    """Make a case; the baseline inverts weights that are estimated from the stored values, and does nothing
    else."""
    case = kind(
        name,
        group,
        "multi_mixture",
        observed,
        truths.astype(np.float32),
        options={"n_sources": len(truths), "weights": rule},
        shares=False,
        lo=0.0,
        hi=255.0,
        ceiling=ceiling.astype(np.float32),
    )
    return replace(case, baselines={AS_STORED: partial(_plain, case)})


def _plain(case: Case) -> NDArray:
    import warnings

    from napari_bitsnet.api import run

    settings: dict[str, Any] = {"rounds": 0, "shading": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = run(
            case.task, case.mixture, method="ica", encoding="linear", settings=settings, **case.options
        )
    return case.answer(result)


def _mixed(weights: NDArray, images: NDArray) -> NDArray:
    return np.tensordot(weights, images, axes=1)


def _rounded(values: NDArray) -> NDArray:
    return np.round(np.clip(values, 0, 255)).astype(np.uint8)


def _srgb(name: str, group: str, truths: NDArray, weights: NDArray) -> Case:
    observed = _rounded(CURVE.to_stored(_mixed(weights, CURVE.to_light(truths))))
    known = CURVE.to_stored(_mixed(np.linalg.inv(weights), CURVE.to_light(observed)))
    return _case(name, group, truths, observed, known)


def _srgb_as_light(name: str, group: str, truths: NDArray, weights: NDArray) -> Case:
    light = CURVE.to_light(truths)
    observed = _rounded(CURVE.to_stored(_mixed(weights, light)))
    known = _mixed(np.linalg.inv(weights), CURVE.to_light(observed))
    case = _case(name, group, light, observed, known, kind=LightCase)
    return replace(case, scored_mixture=CURVE.to_light(observed).mean(axis=0))


def _jpeg(name: str, group: str, truths: NDArray, weights: NDArray) -> Case:
    from PIL import Image

    observed = []
    for image in _rounded(_mixed(weights, truths)):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=QUALITY)
        observed.append(np.asarray(Image.open(file)))
    return _inverted(name, group, truths, np.stack(observed), weights)


def _clipped(name: str, group: str, truths: NDArray, weights: NDArray) -> Case:
    observed = _rounded(EXPOSURE * _mixed(weights, truths))
    return _inverted(name, group, EXPOSURE * truths, observed, weights)


def _vignetted(name: str, group: str, truths: NDArray, weights: NDArray) -> Case:
    height, width = truths.shape[1:3]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    shading = np.stack([np.ones_like(y), 1 - SHADING * (y**2 + x**2) / 2])[..., None]
    observed = _rounded(_mixed(weights, truths) * shading)
    return _case(name, group, truths, observed, _mixed(np.linalg.inv(weights), observed / shading))


def _inverted(name: str, group: str, truths: NDArray, observed: NDArray, weights: NDArray) -> Case:
    return _case(name, group, truths, observed, _mixed(np.linalg.inv(weights), observed.astype(np.float64)))


RECORDINGS: dict[str, Callable[..., Case]] = {
    "sRGB": _srgb,
    "sRGB scored as light": _srgb_as_light,
    "JPEG 90": _jpeg,
    "vignetting": _vignetted,
    "clipping": _clipped,
}


def fluorescence_cases(folder: Path, size: int) -> Iterator[Maker]:
    """Yield every two stains of one field of cells with three kinds of bleed-through.

    Parameters
    ----------
    folder : Path
        Holds ``field2_dna.png``, ``field2_actin.png`` and ``field2_spots.png``.
    size : int
        Side of the central part in pixels.
    """
    for pair in combinations(STAINS, 2):
        for words, weights in BLEEDING.items():
            yield "fluorescence", partial(_stains, folder, pair, words, np.array(weights), size)


def _stains(folder: Path, pair: Sequence[str], words: str, weights: NDArray, size: int) -> Case:
    from skimage.io import imread

    truths = np.stack([imread(folder / f"field{FIELD}_{stain}.png").astype(np.float64) for stain in pair])
    height, width = ((each - size) // 2 for each in truths.shape[1:])
    truths = truths[:, height : height + size, width : width + size]
    scale = 255 / _mixed(weights, truths).max()
    observed = _rounded(scale * _mixed(weights, truths))
    name = f"{' + '.join(pair)}, {words} bleed-through"
    known = _mixed(np.linalg.inv(weights), observed / scale)
    return _case(name, "fluorescence", truths, observed, known, rule="free")
