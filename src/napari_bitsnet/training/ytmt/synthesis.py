"""Photographs behind reflections, made of two photographs: the published ways to simulate them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

KERNEL = 11
"""Side of CEILNet's blur kernel, pixels."""

GAMMA = 1.3
"""CEILNet: how many times the mean excess over white is taken from the reflection."""


@dataclass(frozen=True)
class Reflections:
    """Mixtures (N, 3, S, S) in [0, 1] with their truth.

    Parameters
    ----------
    mixture, transmission, reflection : Tensor of shape (N, 3, S, S)
        As the camera sees all light, the light from behind the glass, and the light that the glass reflects.
    """

    mixture: Tensor
    transmission: Tensor
    reflection: Tensor

    @property
    def images(self) -> Tensor:
        """Both images, (N, 2, 3, S, S)."""
        return torch.stack([self.transmission, self.reflection], dim=1)


def synthesise(behind: Tensor, before: Tensor, published: float, generator: Generator) -> Reflections:
    """Mix photographs (N, 3, S, S) in [0, 1] in a way that is drawn for each of them.

    Parameters
    ----------
    behind, before : Tensor of shape (N, 3, S, S)
        What stands behind the glass, and what it reflects.
    published : float
        Part of the mixtures that are made as CEILNet's; the others are made by `linear_light` and `screen`,
        half and half.
    generator : Generator
        Source of all randomness, on the images' device.

    Notes
    -----
    The light from behind the glass is what reaches the camera: where the glass dims it, so is the truth.

    References
    ----------
    Fan et al., "A Generic Deep Architecture for Single Image Reflection Removal and Image Smoothing", ICCV
    2017; Zhang, Ng & Chen, "Single Image Reflection Separation with Perceptual Losses", CVPR 2018; Li et al.,
    "Single Image Reflection Removal through Cascaded Refinement", CVPR 2020; Hu & Guo, "Single Image
    Reflection Separation via Component Synergy", ICCV 2023.
    """
    drawn = torch.rand(len(behind), generator=generator, device=behind.device)
    whole = []
    for k, kind in enumerate(drawn.tolist()):
        make = ceilnet if kind < published else linear_light if kind < (1 + published) / 2 else screen
        whole.append(make(behind[k : k + 1], before[k : k + 1], generator))
    return Reflections(*(torch.cat(parts) for parts in zip(*whole, strict=True)))


def ceilnet(behind: Tensor, before: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mixture ``clip(T + R)``, T and R: R is blurred, and darkened by what exceeds white on
    average.

    ``R <- clip(blur(R) - 1.3 (m - 1))`` with m the mean of all values of ``T + blur(R)`` above 1, sigma from
    2 to 5 pixels, and a kernel of 11 x 11 pixels with zeros beyond the border.
    """
    reflection = blurred(before, _between(2, 5, generator))
    total = behind + reflection
    above = total > 1
    excess = ((total - 1) * above).sum() / above.sum().clamp_min(1)
    reflection = (reflection - GAMMA * excess).clamp(0, 1)
    return (behind + reflection).clamp(0, 1), behind, reflection


def linear_light(behind: Tensor, before: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return a mixture in which light adds up, T and R: the glass dims T, and R fades towards a side of the
    image."""
    lit, reflected = behind**2.2, before**2.2
    reflected = blurred(reflected, max(_between(-0.5, 4, generator), 0.0))
    total = lit + reflected
    above = total > 1
    excess = ((total - 1) * above).sum(dim=(2, 3), keepdim=True) / above.sum(
        dim=(2, 3), keepdim=True
    ).clamp_min(1)
    reflected = (reflected - _between(1.08, 1.18, generator) * excess).clamp(0, 1) * _fading(
        behind, generator
    )
    lit = lit * _between(0.6, 1, generator)
    mixture, transmission, reflection = (
        x.clamp(0, 1) ** (1 / 2.2) for x in (lit + reflected, lit, reflected)
    )
    return mixture, transmission, reflection


def screen(behind: Tensor, before: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mixture ``T + R - T R``, T and R: both dimmed; thick glass reflects twice, a little
    apart."""
    transmission = behind * _between(0.6, 1, generator)
    reflection = blurred(before, max(_between(-1, 3, generator), 0.0))
    y, x = (round(_between(-6, 6, generator)) for _ in range(2))
    second = _between(0, 0.5, generator)
    reflection = (1 - second) * reflection + second * reflection.roll((y, x), dims=(2, 3))
    reflection = reflection * _between(0.2, 0.9, generator)
    return transmission + reflection - transmission * reflection, transmission, reflection


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Blur an image (1, 3, H, W) by CEILNet's kernel, with zeros beyond the border; sigma 0 returns the
    image."""
    if sigma <= 0.05:
        return image
    at = torch.arange(KERNEL, device=image.device, dtype=image.dtype) - KERNEL // 2
    line = torch.exp(-(at**2) / (2 * sigma**2))
    line = line / line.sum()
    channels = image.shape[1]
    for shape in ((1, 1, KERNEL, 1), (1, 1, 1, KERNEL)):
        padding = (shape[2] // 2, shape[3] // 2)
        kernel = line.reshape(shape).repeat(channels, 1, 1, 1)
        image = F.conv2d(image, kernel, padding=padding, groups=channels)
    return image


def _fading(image: Tensor, generator: Generator) -> Tensor:
    """Return weights (1, 1, H, W) in [0.3, 1] that fall linearly in a random direction; half of them are
    constant."""
    strength = max(_between(-0.7, 0.7, generator), 0.0)
    angle = torch.tensor(_between(0, 6.2832, generator))
    height, width = image.shape[-2:]
    y = torch.linspace(-0.5, 0.5, height, device=image.device)[:, None] * torch.sin(angle)
    x = torch.linspace(-0.5, 0.5, width, device=image.device) * torch.cos(angle)
    return (1 - strength * (0.5 + (y + x) / 2**0.5)).clamp(0, 1)[None, None]


def _between(low: float, high: float, generator: Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator, device=generator.device))
