"""A user's own kinds of images: a folder, zip or stack of each, whose mixtures are drawn on the fly."""

from __future__ import annotations

from collections.abc import Generator as Steps
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Generator, Tensor

from napari_bitsnet.training.crops import random_crop
from napari_bitsnet.training.few import warn_of_few
from napari_bitsnet.training.loop import generator
from napari_bitsnet.training.planes import read_planes
from napari_bitsnet.training.protocol import Progress
from napari_bitsnet.training.ytmt.mixtures import Mixtures

HELD_OUT = 8
"""One of so many images is held out for validation; of fewer images, so large a part of each."""

BRIGHTEST = 2.0
"""A hot pixel, so many times as bright as what becomes 1, may set the scale of the image in use."""

RANGE = (0.1, 99.9)
"""Percentiles of all values of a kind that become 0 and 1: a few hot pixels should not set the scale."""


class Kinds:
    """See `Diet`.

    Parameters
    ----------
    sources : sequence of Path
        A folder, a zip or an image file (stacks are several images) of each kind.
    names : sequence of str
        Of the kinds.
    mixing : str
        ``"linear"``: images add up. ``"attenuation"``: they are transmitted intensities, whose optical
        densities add up.
    amounts : (float, float)
        Each kind's weight is drawn between these, and then divided by their sum.
    noise : float
        Largest standard deviation of Gaussian noise, over the mixture's full range.
    blur : float
        Largest standard deviation of a Gaussian blur, pixels.
    zoom : float
        See `random_crop`.
    aligned : float
        Part of the mixtures that are cut at the same place from all kinds, where their images have the same
        sizes: the structures of one cell lie upon each other in another way than those of two cells.
    colour : bool
        Whether colours are kept; otherwise channels are averaged.
    size, seed : int
        Side of the mixtures in pixels, and seed of all that is drawn.
    """

    whole = False

    def __init__(
        self,
        sources: Sequence[Path],
        names: Sequence[str],
        *,
        mixing: Literal["linear", "attenuation"],
        amounts: Sequence[float],
        noise: float,
        blur: float,
        zoom: float,
        aligned: float,
        colour: bool,
        size: int,
        seed: int,
    ) -> None:
        self.sources, self.kinds, self.mixing = list(sources), tuple(names), mixing
        self.amounts, self.noise, self.blur, self.zoom = amounts, noise, blur, zoom
        self.aligned = aligned
        self.channels, self.size, self.seed = 3 if colour else 1, size, seed
        self.used: list[list[Tensor]] = []
        self.kept: list[list[Tensor]] = []

    def prepare(self, folder: Path) -> Steps[Progress, None, None]:
        """See `Diet.prepare`.

        Raises
        ------
        ValueError
            If an image cannot be read or is too small, or all images of a kind are flat.

        Warns
        -----
        UserWarning
            If there are very few images of a kind; see `warn_of_few`.
        """
        self.used, self.kept, counts = [], [], dict[str, int]()
        for name, source in zip(self.kinds, self.sources, strict=True):
            images = []
            for image in read_planes(source, colour=self.channels == 3):
                images.append(image)
                yield Progress(note=f"Reading {name}: {len(images)} images…")
            counts[name] = len(images)
            used, kept = self._divided(_scaled(images, self.mixing, source), source)
            self.used.append(used)
            self.kept.append(kept)
        warn_of_few(counts)

    def draw(self, number: int, count: int, *, held_out: bool = False) -> Mixtures:
        """See `Diet.draw`."""
        draw = generator(self.seed, number)
        pools = self.kept if held_out else self.used
        images = torch.stack([self._crops(pools, draw) for _ in range(count)])  # (N, K, C, S, S)

        def uniform(low: float, high: float, many: int = 1) -> Tensor:
            return low + (high - low) * torch.rand((count, many, 1, 1, 1), generator=draw)

        weights = uniform(self.amounts[0], self.amounts[1], many=len(pools))
        images = images * (weights / weights.sum(dim=1, keepdim=True))
        if self.blur > 0:
            images = torch.stack(
                [
                    _blurred(one, float(s))
                    for one, s in zip(images, uniform(0, self.blur).flatten(), strict=True)
                ]
            )
        mixture = images.sum(dim=1)
        noise = torch.randn(mixture.shape, generator=draw) * uniform(0, self.noise)[:, 0]
        mixture = mixture + noise
        # in use, smallest and largest value of a whole image become 0 and 1; those of a part lie between
        low, high = mixture.amin(dim=(1, 2, 3)), mixture.amax(dim=(1, 2, 3))
        low = low - (low.clamp_min(0)) * uniform(0, 1).flatten()
        span = (high - low).clamp_min(0.02)
        span = span * (BRIGHTEST / span).clamp_min(1) ** uniform(0, 1).flatten()
        low, span = low[:, None, None, None], span[:, None, None, None]
        images = (images - low[:, None] / len(pools)) / span[:, None]
        return Mixtures((mixture - low) / span, images)

    def _crops(self, pools: list[list[Tensor]], draw: Generator) -> Tensor:
        """Return a random part of an image of each kind (K, C, S, S), at one place of one field or anywhere.

        Of two draws the one with more contrast is taken: fields of a microscope are empty for the most part.
        """
        shapes = [[image.shape for image in pool] for pool in pools]
        together = all(each == shapes[0] for each in shapes)
        together = together and float(torch.rand((), generator=draw)) < self.aligned
        pair = []
        for _ in range(2):
            seeds = torch.randint(2**31, (len(pools),), generator=draw).tolist()
            crops = []
            for pool, seed in zip(pools, seeds, strict=True):
                own = Generator().manual_seed(seeds[0] if together else seed)
                image = pool[int(torch.randint(len(pool), (), generator=own))]
                crops.append(random_crop(image, self.size, own, turns=True, zoom=self.zoom))
            pair.append(torch.stack(crops))
        return max(pair, key=lambda crops: float(crops.std(dim=(1, 2, 3)).sum()))

    def held_out(self) -> dict[str, int]:
        """See `Diet.held_out`; of few images these are parts of each."""
        return {name: len(kept) for name, kept in zip(self.kinds, self.kept, strict=True)}

    def facts(self) -> dict[str, Any]:
        """See `Diet.facts`."""
        count = {name: len(used) for name, used in zip(self.kinds, self.used, strict=True)}
        return {"task": "separate", "mixing": self.mixing, "amounts": list(self.amounts), "images": count}

    def _divided(self, images: list[Tensor], source: Path) -> tuple[list[Tensor], list[Tensor]]:
        """Return images to train on and held-out ones; of few images the lower part of each is held out."""
        for image in images:
            if min(image.shape[1:]) < self.size:
                side = min(image.shape[1:]) // 32 * 32  # networks halve it several times
                smaller = f", or set size to {side} or less" if side else ""
                raise ValueError(
                    f"Expected images of at least {self.size} pixels a side in {source}, got "
                    f"{image.shape[1]} x {image.shape[2]}: give larger ones{smaller}."
                )
        if len(images) >= HELD_OUT:
            return [one for k, one in enumerate(images) if k % HELD_OUT], images[::HELD_OUT]
        rows = [max(round(one.shape[1] / HELD_OUT), min(self.size, one.shape[1] // 2)) for one in images]
        return (
            [one[:, : one.shape[1] - n] for one, n in zip(images, rows, strict=True)],
            [one[:, one.shape[1] - n :] for one, n in zip(images, rows, strict=True)],
        )


def _scaled(images: list[Tensor], mixing: str, source: Path) -> list[Tensor]:
    """Bring all images of a kind to about [0, 1] by common limits; intensities become optical densities
    first."""
    if mixing == "attenuation":
        white = _percentile(images, 99.5)
        if not white > 0:
            raise ValueError(f"Expected transmitted intensities above zero, got none in {source}.")
        images = [-(image / white).clamp_min(1e-3).log() for image in images]
    low, high = (_percentile(images, each) for each in RANGE)
    low = min(low, 0.0) if mixing == "attenuation" else low
    if not high > low:
        raise ValueError(f"Expected images with contrast, got flat ones in {source}.")
    return [(image - low) / (high - low) for image in images]


def _percentile(images: Sequence[Tensor], percent: float) -> float:
    """Return a percentile of the values of all images, of at most a million of them."""
    step = max(1, sum(image.numel() for image in images) // 1_000_000)
    values: NDArray = np.concatenate([image.flatten()[::step].numpy() for image in images])
    return float(np.percentile(values, percent))


def _blurred(images: Tensor, sigma: float) -> Tensor:
    """Blur (K, C, S, S) by a Gaussian, with the border repeated."""
    if sigma < 0.1:
        return images
    radius = max(1, round(3 * sigma))
    at = torch.arange(-radius, radius + 1, dtype=images.dtype)
    line = torch.exp(-(at**2) / (2 * sigma**2))
    line = line / line.sum()
    flat = images.flatten(0, 1)[:, None]
    flat = F.conv2d(F.pad(flat, (0, 0, radius, radius), mode="replicate"), line[None, None, :, None])
    flat = F.conv2d(F.pad(flat, (radius, radius, 0, 0), mode="replicate"), line[None, None, None, :])
    return flat.reshape(images.shape)
