"""Unpaired folders: one of mixtures and one of each kind of image; and the toy in their place."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from napari_bitsnet.io.read import read_image
from napari_bitsnet.training.crops import random_crop
from napari_bitsnet.training.few import warn_of_few
from napari_bitsnet.training.images import image_names, named_files
from napari_bitsnet.training.loop import generator
from napari_bitsnet.training.planes import read_planes
from napari_bitsnet.training.protocol import Progress
from napari_bitsnet.training.sils.shapes import NAMES, draw_shapes

HELD_OUT = 8
"""One of so many mixtures is held out for validation."""
AGREEING = (0.7, 1.3)
"""Mean of the mixtures over the sum of the kinds' means: beyond this the images can hardly add up to the
mixtures."""
LEAST_INTENSITY = 1 / 255
"""Transmitted intensity, over white, below which the density is not followed further."""


class Unpaired(Protocol):
    """Mixtures and images of each kind, of which none belongs to another."""

    kinds: tuple[str, ...]

    def prepare(self) -> Generator[Progress, None, None]:
        """Read the images."""

    def draw(self, number: int, count: int, *, held_out: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Return mixtures (N, C, S, S), and images of each kind, that depend on the seed and `number`
        alone."""

    def truth(self, number: int, count: int) -> Tensor | None:
        """Return the true images (N, K, C, S, S) of the held-out mixtures of that number, if they are
        known."""

    def held_out(self) -> dict[str, int]:
        """Return the number of held-out images; see `BaseTrainer.held_out`."""


class Shapes:
    """The toy: see `draw_shapes`.

    Parameters
    ----------
    n_kinds : int
        2 (squares and circles) or 3 (and triangles).
    size, seed : int
        Side of the images, and seed.
    """

    def __init__(self, n_kinds: int, *, size: int, seed: int) -> None:
        self.kinds, self.size, self.seed = NAMES[:n_kinds], size, seed

    def prepare(self) -> Generator[Progress, None, None]:
        """See `Unpaired.prepare`: nothing has to be read."""
        yield from ()

    def draw(self, number: int, count: int, *, held_out: bool = False) -> tuple[Tensor, list[Tensor]]:
        """See `Unpaired.draw`."""
        mixture = self.truth(number, count).sum(dim=1)
        draw = generator(self.seed + 1, number)
        return mixture, [draw_shapes(name, count, self.size, draw) for name in self.kinds]

    def truth(self, number: int, count: int) -> Tensor:
        """See `Unpaired.truth`."""
        draw = generator(self.seed, number)
        return torch.stack([draw_shapes(name, count, self.size, draw) for name in self.kinds], dim=1)

    def held_out(self) -> dict[str, int]:
        """See `Unpaired.held_out`: any number can be drawn."""
        return {}


class Folders:
    """Folders, zips or stacks of a user's own images.

    Parameters
    ----------
    mixtures : sequence of Path
        Images in which one of each kind is superimposed.
    layers : sequence of Path
        One folder for each kind.
    names : sequence of str
        Of the kinds.
    mixing : str
        ``"linear"``: images add up. ``"attenuation"``: intensities, whose optical densities add up.
    colour : bool
        Whether colours are kept; otherwise channels are averaged.
    gain : float
        Every image is brightened or darkened by up to this factor, because the scale of an image in use is
        its own.
    size, seed : int
        Side of the crops in pixels, and seed.
    """

    def __init__(
        self,
        mixtures: Sequence[Path],
        layers: Sequence[Path],
        names: Sequence[str],
        *,
        mixing: str,
        colour: bool,
        gain: float,
        size: int,
        seed: int,
    ) -> None:
        self.sources: list[list[Path]] = [list(mixtures), *([path] for path in layers)]
        self.kinds, self.mixing, self.colour = tuple(names), mixing, colour
        self.gain, self.size, self.seed = gain, size, seed
        self.pools: list[list[Tensor]] = []
        self.kept: list[Tensor] = []

    def prepare(self) -> Generator[Progress, None, None]:
        """See `Unpaired.prepare`.

        Raises
        ------
        ValueError
            If there are fewer than two images of a kind or of the mixtures, or they are smaller than a crop,
            or flat.

        Warns
        -----
        UserWarning
            If the brightness of the kinds contradicts that of the mixtures, or there are very few images.
        """
        pools, names = [], ("the mixtures", *self.kinds)
        for name, sources in zip(names, self.sources, strict=True):
            images: list[Tensor] = []
            for source in sources:
                for image in read_planes(source, colour=self.colour):
                    images.append(self._density(image, source))
                    yield Progress(note=f"Reading {name}: {len(images)} images…")
            _check_images(name, images, self.size)
            pools.append(images)
        warn_of_few({name: len(pool) for name, pool in zip(names, pools, strict=True)})
        means = [float(torch.stack([image.mean() for image in pool]).mean()) for pool in pools]
        ratio = means[0] / sum(means[1:]) if sum(means[1:]) else float("inf")
        if not AGREEING[0] <= ratio <= AGREEING[1]:
            warnings.warn(
                f"The mixtures are {ratio:.2f} times as bright as all kinds together, where images that add "
                f"up have 1: is mixing={self.mixing} right, and does each mixture contain every kind?",
                stacklevel=2,
            )
        values = np.concatenate(
            [image.flatten()[:: max(1, image.numel() // 10_000)].numpy() for image in pools[0]]
        )
        span = max(float(np.percentile(values, 99.9)), 1e-12)
        pools = [[image / span for image in pool] for pool in pools]
        self.kept, pools[0] = pools[0][::HELD_OUT], [m for k, m in enumerate(pools[0]) if k % HELD_OUT]
        self.pools = pools

    def draw(self, number: int, count: int, *, held_out: bool = False) -> tuple[Tensor, list[Tensor]]:
        """See `Unpaired.draw`."""
        draw = generator(self.seed, number)
        pools = [self.kept, *self.pools[1:]] if held_out else self.pools
        found = []
        for pool in pools:
            chosen = [pool[int(torch.randint(len(pool), (), generator=draw))] for _ in range(count)]
            crops = torch.stack([random_crop(one, self.size, draw, turns=False, zoom=1.25) for one in chosen])
            power = 2 * torch.rand((count, 1, 1, 1), generator=draw) - 1
            found.append(crops if held_out else crops * self.gain**power)
        return found[0], found[1:]

    def truth(self, number: int, count: int) -> None:
        """See `Unpaired.truth`: it is not known."""
        return

    def held_out(self) -> dict[str, int]:
        """See `Unpaired.held_out`."""
        return {"mixtures": len(self.kept)}

    def _density(self, image: Tensor, source: Path) -> Tensor:
        if self.mixing == "linear":
            return image
        white = float(image.max())
        if not white > 0:
            raise ValueError(f"Expected transmitted intensities above zero, got none in {source}.")
        return -(image / white).clamp_min(LEAST_INTENSITY).log()


def check_folders(mixtures: Sequence[Path], layers: Sequence[Path]) -> None:
    """Refuse folders that cannot be what they are said to be, and warn where names belong together.

    Raises
    ------
    ValueError
        If a folder is given twice, or images have other channels or another depth than the mixtures.

    Warns
    -----
    UserWarning
        If file names of mixtures and kinds are the same: training with the truth is then the better choice.
    """
    everything = [*mixtures, *layers]
    if len({path.resolve() for path in everything}) < len(everything):
        raise ValueError(
            "Expected different folders of the mixtures and of each kind, got one of them twice: a kind's "
            "folder holds images of that kind alone."
        )
    names = {
        path: {Path(name).name for name in image_names(path)} if path.is_dir() else set()
        for path in everything
    }
    first = [_form(path) for path in everything if path.is_dir()]
    for (path, form), (other, expected) in zip(first[1:], [first[0]] * len(first), strict=False):
        if form != expected:
            raise ValueError(
                f"Expected images of one form, got {expected} in {other} and {form} in {path}: convert one "
                "of the folders."
            )
    shared = set.intersection(*names.values()) if names else set()
    if len(shared) > 1:
        warnings.warn(
            f"{len(shared)} file names are the same in all folders. If these images belong together, train "
            "with the truth instead (train ytmt --source …).",
            stacklevel=2,
        )


def _form(path: Path) -> tuple[Path, str]:
    """Return the channels and the type of the first image of a folder, in words."""
    _, file = next(iter(named_files(path, image_names(path)[:1])))
    array = read_image(file).channels_last
    colours = array.ndim == 3 and array.shape[-1] in (3, 4)
    return path, f"{'colours' if colours else 'grey'} {array.dtype}"


def _check_images(name: str, images: Sequence[Tensor], size: int) -> None:
    if len(images) < 2:
        raise ValueError(f"Expected at least 2 images of {name}, got {len(images)}.")
    smallest = min(min(image.shape[1:]) for image in images)
    if smallest < size:
        raise ValueError(
            f"Expected images of at least {size} pixels a side, got {smallest} in {name}: give larger ones, "
            "or a smaller size."
        )
    if not any(float(image.max()) > float(image.min()) for image in images):
        raise ValueError(f"Expected images with contrast, got flat ones in {name}.")
