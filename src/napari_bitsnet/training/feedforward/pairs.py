"""Random pairs of images, mixed during the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from napari_bitsnet.training.feedforward.bank import ImageBank


@dataclass(frozen=True)
class Pairs:
    """Mixtures of two images each, with the truth and scribbles.

    Parameters
    ----------
    mixture : Tensor of shape (N, 3, S, S)
        ``I = y1 + y2 + noise`` on (about) the [0, 1] scale of `core.images.normalise`.
    difference : Tensor of shape (N, 3, S, S)
        ``d = y1 - y2`` on the same scale.
    hints : Tensor of shape (N, 2, S, S)
        Scribbles: 1 where edges belong to the first or the second image; zero for pairs without scribbles.
    """

    mixture: Tensor
    difference: Tensor
    hints: Tensor

    @property
    def hinted(self) -> Tensor:
        """Return True for pairs with scribbles (N,), whose sources have an order."""
        return self.hints.amax(dim=(1, 2, 3)) > 0


def mix_pairs(
    banks: Sequence[ImageBank],
    chances: Sequence[float],
    count: int,
    size: int,
    generator: Generator,
    *,
    hint_chance: float = 0.5,
) -> Pairs:
    """Draw images, change their appearance, and mix them in about equal parts.

    Parameters
    ----------
    banks : sequence of ImageBank
        Sources of images, all on the generator's device.
    chances : sequence of float
        Probability of each bank; the sum is 1.
    count, size : int
        Number of pairs; height and width of the crops.
    generator : Generator
        Source of all randomness.
    hint_chance : float
        Fraction of the pairs with scribbles.
    """
    device = generator.device
    which = torch.multinomial(
        torch.tensor(chances), 2 * count, replacement=True, generator=_on_host(generator)
    )
    images = torch.empty(2 * count, 3, size, size, device=device)
    for number, bank in enumerate(banks):
        places = (which == number).nonzero()[:, 0].to(device)
        images[places] = bank.crops(len(places), size, generator)
    images = change_looks(images, generator).reshape(2, count, 3, size, size)

    uniform, normal = _drawing(count, generator)
    grey = uniform(0, 1) < 0.15
    images = torch.where(grey, images.mean(dim=2, keepdim=True), images)
    spread = torch.where(uniform(0, 1) < 0.2, 0.1, 0.02)
    weight = (0.5 + spread * normal()).clamp(0.25, 0.75)
    first, second = weight * images[0], (1 - weight) * images[1]
    sigma = torch.tensor([0, 0.005, 0.01, 0.02], device=device)[(uniform(0, 4)).long().clamp_max(3)]
    noise = torch.randn(count, 3, size, size, generator=generator, device=device)
    noise = torch.where(grey, noise.mean(dim=1, keepdim=True), noise)
    mixture = first + second + sigma * noise

    # half keep the photographs' own range, as an 8-bit image does; half are stretched to nearly their own
    # minimum and maximum, which reduced images do not quite reach
    low, high = mixture.amin(dim=(1, 2, 3), keepdim=True), mixture.amax(dim=(1, 2, 3), keepdim=True)
    span = (high - low).clamp_min(0.05)
    stretched = uniform(0, 1) < 0.5
    low = torch.where(stretched, low - span * uniform(0, 0.15), 0.0)
    high = torch.where(stretched, high + span * uniform(0, 0.15), 1.0)
    span = (high - low).clamp_min(0.05)
    hints = scribble(first, second, generator) * (uniform(0, 1) < hint_chance)
    return Pairs((mixture - low) / span, (first - second) / span, hints)


def change_looks(images: Tensor, generator: Generator) -> Tensor:
    """Flip, rotate, tint, brighten and change the tone curve of each image (N, 3, S, S); the result is in [0,
    1]."""
    uniform, normal = _drawing(len(images), generator)
    for chance, change in (
        (0.5, lambda x: x.flip(-1)),
        (0.1, lambda x: x.flip(-2)),
        (0.1, lambda x: x.transpose(-2, -1)),
    ):
        images = torch.where(uniform(0, 1) < chance, change(images), images)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * uniform(0.7, 1.2)
    tint = 1 + 0.04 * torch.randn(len(images), 3, 1, 1, generator=generator, device=generator.device)
    images = (images * tint).clamp(0, 1) ** (0.15 * normal()).exp()
    # few only: where one image is much paler than the other, that one dominates and there is little to learn
    contrast = torch.where(uniform(0, 1) < 0.15, uniform(0.6, 1), 1.0)
    return images * contrast + (1 - contrast) * uniform(0, 1)


STROKES = [(1, 1), (3, 3), (1, 7), (7, 1)]
"""Heights and widths of the marks that form scribbles, in pixels."""


def scribble(first: Tensor, second: Tensor, generator: Generator) -> Tensor:
    """Mark some places where the edges of one share (N, 3, S, S) are clearly stronger than those of the
    other.

    Returns
    -------
    Tensor of shape (N, 2, S, S)
        Points or short strokes, one kind for each pair; 1 to 30 marks for each share.
    """
    count = len(first)
    uniform, _ = _drawing(count, generator)
    energy = torch.stack([_edge_energy(first), _edge_energy(second)], dim=1)
    clear = (energy > 4 * energy.flip(1)) & (energy > energy.mean(dim=(2, 3), keepdim=True))
    draw = torch.rand(energy.shape, generator=generator, device=generator.device) * clear
    wanted = (uniform(0, 1) * torch.tensor(30.0).log()).exp().long()
    ranked = draw.flatten(2).topk(31, dim=2).values
    threshold = ranked.gather(2, wanted.reshape(count, 1, 1).expand(-1, 2, -1))
    marks = (draw > threshold[..., None].clamp_min(1e-12)).float()
    kind = uniform(0, len(STROKES)).long()
    for number, (height, width) in enumerate(STROKES):
        wide = F.max_pool2d(marks, (height, width), stride=1, padding=(height // 2, width // 2))
        marks = torch.where(kind == number, wide, marks)
    return marks


def _edge_energy(image: Tensor) -> Tensor:
    """Return the sum over channels of squared forward differences; (N, C, H, W) -> (N, H, W)."""
    dy = F.pad(image.diff(dim=-2), (0, 0, 0, 1))
    dx = F.pad(image.diff(dim=-1), (0, 1, 0, 0))
    return (dy**2 + dx**2).sum(dim=1)


def _drawing(
    count: int, generator: Generator
) -> tuple[Callable[[float, float], Tensor], Callable[[], Tensor]]:
    """Return functions that draw a number for each of `count` pairs, of a shape that multiplies images (N, C,
    H, W)."""
    shape, device = (count, 1, 1, 1), generator.device

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, device=device)

    def normal() -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    return uniform, normal


def _on_host(generator: Generator) -> Generator:
    """Return a generator on the host, seeded by that of the device, whose numbers need no synchronisation."""
    return torch.Generator().manual_seed(generator.initial_seed())
