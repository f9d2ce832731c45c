"""Examples for the network that finds cracks: pictures with simulated cracks, and the light that the cracks
take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from napari_bitsnet.data.brushwork import paint
from napari_bitsnet.data.datasets import PackedImages
from napari_bitsnet.data.paintings import painting
from napari_bitsnet.data.photographs import fit

SIDE, BORDER = 128, 4
"""Side of an example, and the border that is cut off after warping; pixels."""


def picture(
    n: int, photographs: Sequence[PackedImages], shape: tuple[int, int], rng: Generator
) -> NDArray[np.uint8]:
    """Return the n-th picture (Y, X, 3): a procedural painting (half of them), a photograph, or an
    overpainted one."""
    if n % 4 < 2 or not photographs:
        image = painting(rng, shape)[0]
    else:
        of_folder = photographs[int(rng.integers(len(photographs)))]
        image = fit(of_folder[int(rng.integers(len(of_folder)))], shape)
        image = paint(rng, image)[0] if n % 4 == 3 else image
    return (255 * np.clip(image, 0, 1)).round().astype(np.uint8)


def crop(image: Tensor, zoom: float, rng: Generator) -> Tensor:
    """Cut a square out of (C, Y, X), and resize, rotate and mirror it at random."""
    side = SIDE + 2 * BORDER
    size = image.shape[-1]
    cut = min(round(side * zoom), size)
    top, left = rng.integers(0, size - cut + 1, 2)
    image = image[:, top : top + cut, left : left + cut]
    if cut != side:
        image = F.interpolate(image[None], (side, side), mode="bilinear", antialias=True)[0]
    if rng.uniform() < 0.5:
        image = image.transpose(1, 2)
    return image.flip([axis for axis in (1, 2) if rng.uniform() < 0.5])


def example(picture: NDArray, crack: NDArray, rng: Generator) -> tuple[Tensor, Tensor]:
    """Return a cracked picture (3, S, S) in [0, 1] and the fraction of light that its cracks take (1, S,
    S)."""
    image = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)
    lines = torch.from_numpy(crack.astype(np.float32) / 255)[None]
    image = crop(image, 1.0 if rng.uniform() < 0.5 else rng.uniform(0.5, 1.6), rng)
    lines = crop(lines, 1.0 if rng.uniform() < 0.6 else rng.uniform(0.5, 1.3), rng)
    if rng.uniform() < 0.25:
        image = image[torch.from_numpy(rng.permutation(3))]
    if rng.uniform() < 0.3:
        image = image.clamp_min(0) ** float(rng.uniform(0.6, 1.6))
    if rng.uniform() < 0.1:
        image = image.mean(dim=0, keepdim=True).expand(3, -1, -1)
    usual = rng.uniform() < 0.6
    depth = 0.0 if rng.uniform() < 0.12 else rng.uniform(0.08, 0.25) if usual else rng.uniform(0.03, 0.5)
    taken = (depth * lines).clamp(0, 1)
    both = torch.cat([image * (1 - taken), taken])
    if rng.uniform() < 0.6:  # photographs are resampled before they are registered
        side = both.shape[-1]
        places = torch.eye(2, 3)[None] + torch.from_numpy(rng.normal(0, 0.004, (1, 2, 3)).astype(np.float32))
        places[0, :, 2] += torch.from_numpy(rng.uniform(-1, 1, 2).astype(np.float32)) / side
        grid = F.affine_grid(places, [1, 4, side, side], align_corners=False)
        both = F.grid_sample(both[None], grid, mode="bicubic", padding_mode="border", align_corners=False)[0]
    both = both[:, BORDER:-BORDER, BORDER:-BORDER]
    seen, taken = both[:3].clamp(0, 1), both[3:].clamp_min(0)
    if rng.uniform() < 0.3:
        noise = torch.from_numpy(rng.standard_normal(seen.shape).astype(np.float32))
        seen = (seen + float(rng.uniform(0, 0.015)) * noise).clamp(0, 1)
    return (255 * seen).round() / 255, taken


def batch(images: NDArray, lines: NDArray, count: int, rng: Generator) -> tuple[Tensor, Tensor]:
    """Draw examples of random pictures and cracks, (N, 3, S, S) and (N, 1, S, S)."""
    drawn = [
        example(images[rng.integers(len(images))], lines[rng.integers(len(lines))], rng) for _ in range(count)
    ]
    return torch.stack([seen for seen, _ in drawn]), torch.stack([taken for _, taken in drawn])
