"""Cases from a folder of measuring images (``--data DIR``), laid out as its README says.

What is absent is left out; `folder_cases` says so. Nothing of it is ever copied or trained on, but for the
photographs that are not on the reserved list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cases import Maker
from benchmarks.quality.cases.builtin import RECORDINGS
from benchmarks.quality.cases.crossmodal import crossmodal_cases
from benchmarks.quality.cases.cutouts import photograph_cutout_cases
from benchmarks.quality.cases.damage import damage_folder_cases
from benchmarks.quality.cases.known_kinds import known_kind_cases
from benchmarks.quality.cases.marks import photograph_mark_cases
from benchmarks.quality.cases.recorded_mixtures import fluorescence_cases, recorded_photographs
from benchmarks.quality.drawn_scribbles import draw_scribbles
from benchmarks.studies.stack import other_contrast
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.case_makers import WEIGHTS, Recording, half_and_half, two_mixtures
from napari_bitsnet.data.datasets import reserved_photos
from napari_bitsnet.data.photographs import fit

SET_PAIRS = [
    ("set5/baby", "set5/bird"),
    ("set5/butterfly", "set14/zebra"),
    ("set5/woman", "set14/pepper"),
    ("set5/head", "set14/flowers"),
    ("set14/baboon", "set14/lenna"),
    ("set14/barbara", "set14/comic"),
    ("set14/coastguard", "set14/foreman"),
    ("set14/monarch", "set14/man"),
    ("set14/ppt3", "set14/bridge"),
    ("set5/bird", "set14/zebra"),
]
"""The fixed list: ten pairs of Set5 and Set14, the BITS-Net paper's sets; ``set14/face`` is ``set5/head``."""


SCRIBBLES = (20, 60)
"""Numbers of scribbles in the groups with hints."""


def folder_cases(data: Path, size: int = 256, n: int = 20) -> Iterator[Maker]:
    """Yield the cases whose images are there.

    Parameters
    ----------
    data : Path
        Folder with any of ``set5``, ``set14``, ``photos``, ``reflection``, ``double_dip``, ``mri``, ``xray``,
        ``crossmodal``, ``dip``, ``fluorescence``.
    size : int
        Side of the images in pixels.
    n : int
        Random pairs of reserved photographs, and reflection triplets, at most.

    Raises
    ------
    FileNotFoundError
        If the folder is absent.
    """
    if not data.is_dir():
        raise FileNotFoundError(f"Expected a folder of images, got {data}, which is absent.")
    if (data / "set5").is_dir() and (data / "set14").is_dir():
        yield from _sets(data, size)
    if (data / "photos").is_dir():
        yield from _reserved(data / "photos", size, n)
        yield from recorded_photographs(reserved_photographs(data / "photos"), size)
        yield from photograph_cutout_cases(data / "photos")
        yield from photograph_mark_cases(reserved_photographs(data / "photos"), size, n)
    if (data / "reflection").is_dir():
        yield from _reflections(data / "reflection", n)
    if (data / "double_dip" / "texture12.png").is_file():
        paths = [data / "double_dip" / f"texture{k}.png" for k in (12, 16)]
        yield "textures", partial(_pair, "textures", paths, size)
    if (data / "mri").is_dir():
        yield from _slices(data / "mri" / "mni_t1.tif", size)
    if (data / "xray").is_dir():
        yield from _chests(data / "xray", size)
    if (data / "fluorescence").is_dir():
        yield from fluorescence_cases(data / "fluorescence", size)
    if (data / "crossmodal").is_dir():
        yield from crossmodal_cases(data / "crossmodal", size)
    yield from damage_folder_cases(data, size)
    yield from known_kind_cases(data)


def read(path: Path, size: int) -> NDArray:
    """Return the centre square of an image file, (size, size, 3) in [0, 1]; grey becomes three channels."""
    from skimage.color import gray2rgb
    from skimage.io import imread

    image = imread(path)
    return fit(gray2rgb(image) if image.ndim == 2 else image[..., :3], size)


def _pair(group: str, paths: Sequence[Path], size: int, *, grey: bool = False, shares: float = 0.5) -> Case:
    """Superimpose two photographs; `shares` is the first one's weight."""
    pair = [read(path, size) for path in paths]
    if grey:
        pair = [image.mean(axis=-1) for image in pair]
    case = half_and_half(f"{paths[0].stem} + {paths[1].stem}", group, *pair)
    if shares == 0.5:
        return case
    factors = 2 * np.array([shares, 1 - shares], np.float32).reshape(2, *[1] * pair[0].ndim)
    truths = case.truths * factors
    return replace(case, truths=truths, mixture=truths.sum(axis=0))


def _scribbled(group: str, paths: Sequence[Path], size: int, count: int) -> Case:
    case = _pair(group, paths, size)
    return replace(case, hints=draw_scribbles(case.truths, count))


def _with_scribbles(group: str, make: Callable[[], Case]) -> Iterator[Maker]:
    """A case as it is, and in a group of its own with the fewest scribbles."""
    yield group, make
    scribbled = f"{group}, {SCRIBBLES[0]} scribbles"

    def draw() -> Case:
        case = make()
        return replace(case, group=scribbled, hints=draw_scribbles(case.truths, SCRIBBLES[0]))

    yield scribbled, draw


def _mixtures(group: str, paths: Sequence[Path], size: int, weights: NDArray, recording: Recording) -> Case:
    pair = [read(path, size) for path in paths]
    return two_mixtures(f"{paths[0].stem} + {paths[1].stem}", group, pair, weights, **recording)


def _sets(data: Path, size: int) -> Iterator[Maker]:
    for names in SET_PAIRS:
        paths = [data / f"{name}.png" for name in names]
        yield "blind, Set5 + Set14", partial(_pair, "blind, Set5 + Set14", paths, size)
        group = "blind, Set5 + Set14, grey"
        yield group, partial(_pair, group, paths, size, grey=True)
        for count in SCRIBBLES:
            group = f"hints, Set5 + Set14, {count} scribbles"
            yield group, partial(_scribbled, group, paths, size, count)
        for words, weights in WEIGHTS.items():
            for stratum, recording in RECORDINGS.items():
                group = f"two mixtures, Set5 + Set14, {words} weights{stratum}"
                yield group, partial(_mixtures, group, paths, size, weights, recording)


def reserved_photographs(folder: Path) -> list[Path]:
    """Return the photographs that were never trained on, as listed in ``data/reserved_photos.txt``."""
    names = sorted(reserved_photos())
    return [folder / name for name in names if (folder / name).is_file()]


def _reserved(folder: Path, size: int, n: int) -> Iterator[Maker]:
    paths = reserved_photographs(folder)
    order = np.random.default_rng(0).permutation(len(paths))
    group, unequal = "blind, reserved photographs", "blind, reserved photographs, weights .65/.35"
    for i in range(min(n, len(paths) // 2)):
        pair = [paths[order[2 * i]], paths[order[2 * i + 1]]]
        yield group, partial(_pair, group, pair, size)
        if i < n // 2:
            yield unequal, partial(_pair, unequal, pair, size, shares=0.65)
    for i in range(min(n, len(paths) // 3)):
        yield "blind, three photographs", partial(_triple, [paths[k] for k in order[3 * i : 3 * i + 3]], size)


def _triple(paths: Sequence[Path], size: int) -> Case:
    """Superimpose three photographs in equal parts."""
    truths = np.stack([read(path, size) for path in paths]).astype(np.float32) / 3
    options = {"low": 0.0, "high": 1.0, "n_sources": 3}
    name = " + ".join(path.stem for path in paths)
    return Case(
        name,
        "blind, three photographs",
        "separate",
        truths.sum(axis=0),
        truths,
        options=options,
        lo=0.0,
        hi=1.0,
    )


def _reflections(folder: Path, n: int) -> Iterator[Maker]:
    for path in sorted(folder.glob("*_mixture.png"))[:n]:
        yield "reflections", partial(_reflection, path)


def _reflection(path: Path) -> Case:
    from skimage.io import imread

    stem = path.name.removesuffix("_mixture.png")
    kinds = ("mixture", "transmission", "reflection")
    images = [imread(path.with_name(f"{stem}_{kind}.png")).astype(np.float32)[..., :3] for kind in kinds]
    mixture, *truths = images
    return Case(stem, "reflections", "separate", mixture, np.stack(truths), lo=0.0, hi=255.0)


def _slices(path: Path, size: int) -> Iterator[Maker]:
    for z in (20, 28, 36, 44):
        yield from _with_scribbles("MRI slices (toy)", partial(_slice_pair, path, z, z + 14, size))
    for n_guides, words in ((2, "two guides"), (1, "one guide")):
        group = f"MRI stack, {words}"
        yield group, partial(_stack, group, path, 24, 8, size, n_guides)


def _slice_pair(path: Path, first: int, second: int, size: int) -> Case:
    from tifffile import imread

    volume = imread(path).astype(np.float32)
    pair = [fit(volume[z] / volume.max(), size) for z in (first, second)]
    return half_and_half(f"slices {first} + {second}", "MRI slices (toy)", *pair)


def _stack(group: str, path: Path, first: int, count: int, size: int, n_guides: int) -> Case:
    """A stack (Y, X, Z) mixed slice with slice, 14 apart; guides show the slices in another contrast."""
    from tifffile import imread

    volume = imread(path).astype(np.float32)
    wanted = [volume[first : first + count], volume[first + 14 : first + 14 + count]]
    pair = np.stack([[fit(z / volume.max(), size) for z in part] for part in wanted])
    truths = np.moveaxis(pair, 1, -1).astype(np.float32) / 2  # scores take the last axis for channels
    guides = [other_contrast(2 * t, seed) if seed < n_guides else None for seed, t in enumerate(truths)]
    return Case(
        f"slices {first} to {first + count - 1} + 14",
        group,
        "xray",
        truths.sum(axis=0),
        truths,
        guides=guides,
        options={"axes": "YXZ", "low": 0.0, "high": 1.0},
        lo=0.0,
        hi=1.0,
    )


def _chests(folder: Path, size: int) -> Iterator[Maker]:
    paths = sorted(folder.glob("*.png"))
    for pair in zip(paths[::2], paths[1::2], strict=False):
        yield from _with_scribbles("chest X-rays in optical density (toy)", partial(_chest_pair, pair, size))


def _chest_pair(paths: Sequence[Path], size: int) -> Case:
    """A toy: displayed grey levels are taken as transmitted intensities, which they are not."""
    truths = np.stack([-np.log((1 + 254 * read(p, size).mean(axis=-1)) / 255) / 2 for p in paths])
    density = truths.sum(axis=0).astype(np.float32)
    return Case(
        f"{paths[0].stem} + {paths[1].stem}",
        "chest X-rays in optical density (toy)",
        "separate",
        np.exp(-density),
        truths.astype(np.float32),
        options={"mixing": "attenuation", "i0": 1.0},
        scored_mixture=density,
    )
