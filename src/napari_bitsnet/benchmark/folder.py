"""Cases from a folder of measuring images (``--data DIR``), laid out as its README says.

What is absent is left out; `folder_cases` says so. Nothing of it is ever copied or trained on, but for the
photographs that are not on the reserved list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.benchmark.builtin import WEIGHTS
from napari_bitsnet.benchmark.case import Case, half_and_half, two_mixtures
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


def folder_cases(data: Path, size: int = 256, n: int = 20) -> Iterator[Case]:
    """Yield the cases whose images are there.

    Parameters
    ----------
    data : Path
        Folder with any of ``set5``, ``set14``, ``photos``, ``reflection``, ``double_dip``, ``mri``, ``xray``.
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
    if (data / "reflection").is_dir():
        yield from _reflections(data / "reflection", n)
    if (data / "double_dip" / "texture12.png").is_file():
        first, second = (read(data / "double_dip" / f"texture{k}.png", size) for k in (12, 16))
        yield half_and_half("texture12 + texture16", "textures", first, second)
    if (data / "mri").is_dir():
        yield from _slices(data / "mri" / "mni_t1.tif", size)
    if (data / "xray").is_dir():
        yield from _chests(data / "xray", size)


def read(path: Path, size: int) -> NDArray:
    """Return the centre square of an image file, (size, size, 3) in [0, 1]; grey becomes three channels."""
    from skimage.color import gray2rgb
    from skimage.io import imread

    image = imread(path)
    return fit(gray2rgb(image) if image.ndim == 2 else image[..., :3], size)


def _sets(data: Path, size: int) -> Iterator[Case]:
    for first, second in SET_PAIRS:
        pair = [read(data / f"{name}.png", size) for name in (first, second)]
        name = f"{Path(first).name} + {Path(second).name}"
        yield half_and_half(name, "blind, Set5 + Set14", *pair)
        grey = [image.mean(axis=-1) for image in pair]
        yield half_and_half(name, "blind, Set5 + Set14, grey", *grey)
        for words, weights in WEIGHTS.items():
            yield two_mixtures(name, f"two mixtures, Set5 + Set14, {words} weights", pair, weights)
            noisy = f"two mixtures, Set5 + Set14, {words} weights, noise 2 %"
            yield two_mixtures(name, noisy, pair, weights, noise=0.02)


def reserved_photographs(folder: Path) -> list[Path]:
    """Return the photographs that were never trained on, as listed in ``data/reserved_photos.txt``."""
    from importlib.resources import files

    text = files("napari_bitsnet.data").joinpath("reserved_photos.txt").read_text("utf-8")
    names = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [folder / name for name in names if (folder / name).is_file()]


def _reserved(folder: Path, size: int, n: int) -> Iterator[Case]:
    paths = reserved_photographs(folder)
    order = np.random.default_rng(0).permutation(len(paths))
    for i in range(min(n, len(paths) // 2)):
        first, second = paths[order[2 * i]], paths[order[2 * i + 1]]
        pair = [read(path, size) for path in (first, second)]
        yield half_and_half(f"{first.stem} + {second.stem}", "blind, reserved photographs", *pair)
        if i < n // 2:
            case = half_and_half(
                f"{first.stem} + {second.stem}", "blind, reserved photographs, weights .65/.35", *pair
            )
            truths = case.truths * np.array([1.3, 0.7], np.float32).reshape(2, 1, 1, 1)
            yield replace(case, truths=truths, mixture=truths.sum(axis=0))


def _reflections(folder: Path, n: int) -> Iterator[Case]:
    from skimage.io import imread

    for path in sorted(folder.glob("*_mixture.png"))[:n]:
        stem = path.name.removesuffix("_mixture.png")
        images = [imread(folder / f"{stem}_{kind}.png") for kind in ("mixture", "transmission", "reflection")]
        mixture, *truths = (image.astype(np.float32)[..., :3] for image in images)
        yield Case(stem, "reflections", "separate", mixture, np.stack(truths), lo=0.0, hi=255.0)


def _slices(path: Path, size: int) -> Iterator[Case]:
    from tifffile import imread

    volume = imread(path).astype(np.float32)
    for z in (20, 28, 36, 44):
        first, second = (fit(volume[k] / volume.max(), size) for k in (z, z + 14))
        yield half_and_half(f"slices {z} + {z + 14}", "MRI slices", first, second)


def _chests(folder: Path, size: int) -> Iterator[Case]:
    paths = sorted(folder.glob("*.png"))
    for first, second in zip(paths[::2], paths[1::2], strict=False):
        # a toy: displayed grey levels are taken as transmitted intensities, which they are not
        truths = np.stack(
            [-np.log((1 + 254 * read(p, size).mean(axis=-1)) / 255) / 2 for p in (first, second)]
        )
        density = truths.sum(axis=0)
        yield Case(
            f"{first.stem} + {second.stem}",
            "chest X-rays in optical density (toy)",
            "separate",
            np.exp(-density).astype(np.float32),
            truths.astype(np.float32),
            options={"mixing": "attenuation", "blank": 1.0},
            scored_mixture=density.astype(np.float32),
        )
