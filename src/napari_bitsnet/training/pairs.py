"""Random pairs of images, mixed on the fly: what the trained start learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from napari_bitsnet.core.networks.cascade import reduce_hints, reduce_image
from napari_bitsnet.data.datasets import PackedImages


@dataclass(frozen=True)
class Pairs:
    """Mixtures of two images each, with what separates them.

    Parameters
    ----------
    mixture : Tensor of shape (N, 3, S, S)
        ``I = y1 + y2 + noise`` on (about) the [0, 1] scale of `core.images.normalise`.
    difference : Tensor of shape (N, 3, S, S)
        ``d = y1 - y2`` on the same scale.
    hints : Tensor of shape (N, 2, S, S)
        Scribbles: 1 where edges belong to the first or the second image; all zero where none are given.
    """

    mixture: Tensor
    difference: Tensor
    hints: Tensor

    def to(self, device: str) -> Pairs:
        """Return the pairs on `device`."""
        return Pairs(self.mixture.to(device), self.difference.to(device), self.hints.to(device))

    def reduced(self, size: int) -> Pairs:
        """Return the pairs at `size` x `size` pixels."""
        mixture, difference = reduce_image(self.mixture, size), reduce_image(self.difference, size)
        return Pairs(mixture, difference, reduce_hints(self.hints, size))

    def window(self, top: int, left: int, side: int) -> Pairs:
        """Return the same part of all pairs."""
        part = (..., slice(top, top + side), slice(left, left + side))
        return Pairs(self.mixture[part], self.difference[part], self.hints[part])


def mix_pairs(
    collections: Sequence[PackedImages],
    chances: Sequence[float],
    count: int,
    size: int,
    rng: Generator,
    *,
    hint_chance: float = 0.5,
) -> Pairs:
    """Draw images, change their looks, and mix them about half and half.

    Parameters
    ----------
    collections : sequence of PackedImages
        Where images come from.
    chances : sequence of float
        Chance of each collection; they add up to one.
    count, size : int
        Number of pairs; height and width to which crops are resized.
    rng : Generator
        Source of all randomness.
    hint_chance : float
        Part of the pairs that come with scribbles.
    """
    which = rng.choice(len(collections), size=2 * count, p=chances)
    crops = [_random_crop(collections[c][int(rng.integers(len(collections[c])))], size, rng) for c in which]
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
    images = change_looks(images, rng).reshape(2, count, 3, size, size)

    grey = _draw(rng.random(count) < 0.15)
    images = torch.where(grey, images.mean(dim=2, keepdim=True), images)
    spread = np.where(rng.random(count) < 0.2, 0.1, 0.02)
    weight = _draw(np.clip(0.5 + spread * rng.standard_normal(count), 0.25, 0.75))
    first, second = weight * images[0], (1 - weight) * images[1]
    sigma = _draw(rng.choice([0, 0.005, 0.01, 0.02], count))
    noise = torch.from_numpy(rng.standard_normal((count, 3, size, size)).astype(np.float32))
    noise = torch.where(grey, noise.mean(dim=1, keepdim=True), noise)
    mixture = first + second + sigma * noise

    # half keep the photographs' own range, as an 8-bit image does; half are stretched to nearly their own
    # minimum and maximum, which reduced images do not quite reach
    low, high = mixture.amin(dim=(1, 2, 3), keepdim=True), mixture.amax(dim=(1, 2, 3), keepdim=True)
    span = (high - low).clamp_min(0.05)
    stretched = _draw(rng.random(count) < 0.5)
    low = torch.where(stretched, low - span * _draw(rng.uniform(0, 0.15, count)), 0.0)
    high = torch.where(stretched, high + span * _draw(rng.uniform(0, 0.15, count)), 1.0)
    span = (high - low).clamp_min(0.05)
    hints = scribble(first, second, rng) * _draw(rng.random(count) < hint_chance)
    return Pairs((mixture - low) / span, (first - second) / span, hints)


def change_looks(images: Tensor, rng: Generator) -> Tensor:
    """Flip, turn, tint, brighten and bend the tone curve of each image (N, 3, S, S) by itself; stays in [0, 1]."""
    n = len(images)
    for chance, change in (
        (0.5, lambda x: x.flip(-1)),
        (0.15, lambda x: x.flip(-2)),
        (0.15, lambda x: x.transpose(-2, -1)),
    ):
        images = torch.where(_draw(rng.random(n) < chance), change(images), images)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * _draw(rng.uniform(0.7, 1.2, n))
    tint = torch.from_numpy(np.exp(rng.normal(0, 0.04, (n, 3, 1, 1))).astype(np.float32))
    images = (images * tint).clamp(0, 1) ** _draw(np.exp(rng.normal(0, 0.15, n)))
    # few only: where one image is much paler than the other, that one dominates and there is little to learn
    contrast = _draw(np.where(rng.random(n) < 0.15, rng.uniform(0.6, 1, n), 1.0))
    return images * contrast + (1 - contrast) * _draw(rng.random(n))


def scribble(first: Tensor, second: Tensor, rng: Generator) -> Tensor:
    """Mark a few places where the edges of one share (N, 3, S, S) clearly outweigh the other's.

    Returns
    -------
    Tensor of shape (N, 2, S, S)
        Marks of one pixel, or of 3 x 3 in half of the pairs; from 1 to 30 a share.
    """
    n = len(first)
    energy = torch.stack([_edge_energy(first), _edge_energy(second)], dim=1)
    clear = (energy > 4 * energy.flip(1)) & (energy > energy.mean(dim=(1, 2, 3), keepdim=True))
    draw = torch.from_numpy(rng.random(energy.shape, dtype=np.float32)) * clear
    wanted = np.exp(rng.uniform(0, np.log(30), n)).astype(int)
    ranked = draw.flatten(2).sort(dim=2, descending=True).values
    threshold = ranked[torch.arange(n), :, torch.from_numpy(wanted)]
    marks = (draw > threshold[:, :, None, None]).float()
    wide = F.max_pool2d(marks, 3, stride=1, padding=1)
    return torch.where(_draw(rng.random(n) < 0.5), wide, marks)


def _edge_energy(image: Tensor) -> Tensor:
    """Sum over channels of squared forward differences; (N, C, H, W) -> (N, H, W)."""
    dy = F.pad(image.diff(dim=-2), (0, 0, 0, 1))
    dx = F.pad(image.diff(dim=-1), (0, 1, 0, 0))
    return (dy**2 + dx**2).sum(dim=1)


def _random_crop(image: NDArray[np.uint8], size: int, rng: Generator) -> NDArray[np.uint8]:
    """Cut out half to all of the image, its sides squeezed by up to 30 %, and resize to (size, size, 3)."""
    height, width = image.shape[:2]
    if rng.random() < 0.25:
        box = (0.0, 0.0, float(width), float(height))
    else:
        side = min(height, width) * rng.uniform(0.5, 1)
        squeeze = np.exp(rng.uniform(-0.3, 0.3))
        h, w = min(side * squeeze, height), min(side / squeeze, width)
        top, left = rng.uniform(0, height - h), rng.uniform(0, width - w)
        box = (left, top, left + w, top + h)
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR, box=box))


def _draw(values: NDArray) -> Tensor:
    """One number (float32) or decision a pair, shaped to multiply images (N, C, H, W)."""
    tensor = torch.from_numpy(np.asarray(values)).reshape(-1, 1, 1, 1)
    return tensor if tensor.dtype == torch.bool else tensor.float()
