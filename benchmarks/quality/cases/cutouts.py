"""Segmentation cases: outlined objects with scribbles, beside other software given the same scribbles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cases import Maker
from benchmarks.quality.cases.scribbles import along_the_middle, short_strokes
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.outlines import DRAWINGS, Outlined, outlined

GROUP = "segmentation, two scribbles"
"""Ten photographs of scikit-image, on which `random_walker` was tuned."""
RULES = {"one stroke a region": along_the_middle, "three short strokes a region": short_strokes}
"""How scribbles are drawn on the photographs of `OUTLINES`."""
OUTLINES = Path(__file__).with_name("outlines.json")
"""Outlines of objects in BSDS500, corners y, x of one ring or more each (even-odd): a network for salient
objects drew them (ISNet), and those were kept that were right by eye. No method was tuned on these 22
photographs."""


def cutout_cases(size: int = 256) -> Iterator[Maker]:
    """Yield ten photographs with an object outlined by hand; GrabCut is compared where OpenCV is
    installed."""
    for name in DRAWINGS:
        yield GROUP, partial(_drawing, name, size)


def photograph_cutout_cases(folder: Path) -> Iterator[Maker]:
    """Yield the outlined photographs of a folder at their own size, with scribbles drawn by each of
    `RULES`."""
    for rule in RULES:
        group = f"segmentation, BSDS, {rule}"
        for name in json.loads(OUTLINES.read_text("utf-8")):
            if (folder / f"{name}.jpg").is_file():
                yield group, partial(_photograph, folder / f"{name}.jpg", group, rule)


def _photograph(path: Path, group: str, rule: str) -> Case:
    from skimage.draw import polygon2mask
    from skimage.io import imread

    image = imread(path) / 255
    mask = np.zeros(image.shape[:2], bool)
    for ring in json.loads(OUTLINES.read_text("utf-8"))[path.stem]:
        mask ^= polygon2mask(mask.shape, np.reshape(ring, (-1, 2)) - 0.5)
    return _case(Outlined(path.stem, image, mask, RULES[rule](mask)), group)


def _drawing(name: str, size: int) -> Case:
    return _case(outlined(name, size), GROUP)


def _case(drawn: Outlined, group: str) -> Case:
    baselines: dict[str, Callable[[], NDArray]] = {
        "random walker": partial(random_walker, drawn, 130.0),
        "random walker, beta 1000": partial(random_walker, drawn, 1000.0),
    }
    if find_spec("cv2") is not None:
        baselines["GrabCut"] = partial(grab_cut, drawn)
    return Case(
        drawn.name,
        group,
        "segment",
        drawn.image.astype(np.float32),
        drawn.mask[None],
        hints=drawn.hints,
        shares=False,
        scored_mixture=np.full(drawn.mask.shape, 0.5, np.float32),
        lo=0.0,
        hi=1.0,
        scored=("mask",),
        baselines=baselines,
    )


def random_walker(drawn: Outlined, beta: float) -> NDArray:
    """scikit-image's answer, (1, Y, X); its default beta is 130."""
    from skimage.segmentation import random_walker as walk

    channels = -1 if drawn.image.ndim == 3 else None
    labels = walk(drawn.image, drawn.hints, beta=beta, mode="cg_j", channel_axis=channels)
    return (labels == 1)[None].astype(np.float32)


def grab_cut(drawn: Outlined) -> NDArray:
    """OpenCV's answer, (1, Y, X): five iterations, unmarked pixels to begin with probably background."""
    import cv2

    image = np.atleast_3d(drawn.image) * np.ones(3)
    image = np.ascontiguousarray(np.round(255 * image[..., ::-1]).astype(np.uint8))
    mask = np.full(drawn.mask.shape, cv2.GC_PR_BGD, np.uint8)
    mask[drawn.hints == 1], mask[drawn.hints == 2] = cv2.GC_FGD, cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(image, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    return ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))[None].astype(np.float32)
