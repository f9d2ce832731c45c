"""Segmentation cases: objects outlined by hand, with two scribbles each, beside other software given the same scribbles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cases import Maker
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.outlines import DRAWINGS, Outlined, outlined

GROUP = "segmentation, two scribbles"


def cutout_cases(size: int = 256) -> Iterator[Maker]:
    """Yield ten photographs with an outlined object; GrabCut is compared where OpenCV is installed."""
    for name in DRAWINGS:
        yield GROUP, partial(_case, name, size)


def _case(name: str, size: int) -> Case:
    drawn = outlined(name, size)
    baselines: dict[str, Callable[[], NDArray]] = {
        "random walker": partial(random_walker, drawn, 130.0),
        "random walker, beta 1000": partial(random_walker, drawn, 1000.0),
    }
    if find_spec("cv2") is not None:
        baselines["GrabCut"] = partial(grab_cut, drawn)
    return Case(
        drawn.name,
        GROUP,
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
