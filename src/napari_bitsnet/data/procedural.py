"""Draw procedural pictures: dead leaves, clouds of colour, textures, lettering, shapes.

They have the statistics of natural images (dead leaves, 1/f spectra) or content that is rare in photographs
(writing, periodic textures, flat shapes). They need no downloads and have no licence conditions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_bitsnet.data.datasets import PackedImages, pack


def procedural_images(count: int, size: int, *, seed: int = 0) -> PackedImages:
    """Draw `count` RGB pictures of `size` x `size` pixels, the five kinds in turn."""
    kinds: list[Callable[[int, Generator], NDArray]] = [dead_leaves, clouds, texture, lettering, shapes]
    rng = np.random.default_rng(seed)
    drawn = (kinds[i % len(kinds)](size, rng) for i in range(count))
    return pack((np.clip(image, 0, 1) * 255).round().astype(np.uint8) for image in drawn)


def dead_leaves(size: int, rng: Generator) -> NDArray[np.float64]:
    """Draw occluding discs with radii distributed as r^-3, each with its own colour and a soft shading.

    Returns
    -------
    ndarray of shape (size, size, 3)
        Approximately in [0, 1].

    References
    ----------
    Lee, Mumford & Huang, "Occlusion Models for Natural Images", IJCV 41, 2001, doi:10.1023/A:1011109015675.
    """
    y, x = np.mgrid[:size, :size] / size
    palette = _palette(rng, 8)
    image = np.ones((size, size, 3)) * palette[0]
    radii = np.sort(0.05 / np.sqrt(rng.uniform(0.008, 1, 120)))[::-1]
    for radius in radii:
        cy, cx = rng.uniform(-0.1, 1.1, 2)
        inside = (y - cy) ** 2 + (x - cx) ** 2 < radius**2
        shade = 1 + rng.normal(0, 0.4) * (y - cy) + rng.normal(0, 0.4) * (x - cx)
        colour = palette[rng.integers(8)] + rng.normal(0, 0.05, 3)
        image[inside] = (colour * shade[..., None])[inside]
    return image


def clouds(size: int, rng: Generator) -> NDArray[np.float64]:
    """Draw Gaussian fields with spectrum 1/f^a, a from 0.8 to 2, with correlated colours."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None])
    frequency[0, 0] = 1 / size
    fields = np.fft.ifft2(
        np.fft.fft2(rng.normal(size=(3, size, size))) / frequency ** rng.uniform(0.8, 2)
    ).real
    fields /= fields.std(axis=(1, 2), keepdims=True)
    strength = np.array([1.0, rng.uniform(0, 0.6), rng.uniform(0, 0.4)])
    colours = np.linalg.qr(np.c_[np.ones(3) + rng.normal(0, 0.3, 3), rng.normal(size=(3, 2))])[0]
    mixed = np.einsum("khw,k,ck->hwc", fields, strength, colours)
    return rng.uniform(0.3, 0.7, 3) + rng.uniform(0.1, 0.35) * mixed


def texture(size: int, rng: Generator) -> NDArray[np.float64]:
    """Draw one slightly warped periodic motif in two colours."""
    y, x = np.mgrid[:size, :size] / size
    warp = rng.normal(0, 0.02, 2)
    x, y = x + warp[0] * np.sin(2 * np.pi * y), y + warp[1] * np.sin(2 * np.pi * x)
    angle, across = rng.uniform(0, np.pi), rng.uniform(0.3, 1.2) * rng.choice([-1, 1])
    cycles = rng.uniform(2, size / 6)
    wave = np.sin(2 * np.pi * cycles * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 6))
    if rng.random() < 0.6:  # a lattice rather than stripes
        angle += across
        wave = wave * np.sin(2 * np.pi * cycles * (x * np.cos(angle) + y * np.sin(angle)))
    wave = np.tanh(wave * np.exp(rng.uniform(-0.5, 2)))[..., None]
    first, second = _palette(rng, 2)
    return (first + second) / 2 + wave * (first - second) / 2


def lettering(size: int, rng: Generator) -> NDArray[np.float64]:
    """Draw lines of random letters and digits on a plain ground or on clouds."""
    ground, ink = (tuple(int(255 * v) for v in np.clip(c, 0, 1)) for c in _palette(rng, 2))
    image = Image.new("RGB", (size, size), ground)
    if rng.random() < 0.4:
        image = Image.fromarray((np.clip(clouds(size, rng), 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    height = int(rng.integers(max(size // 8, 6), size // 2))
    font = ImageFont.load_default(size=height)
    signs = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ")
    for top in range(int(rng.integers(-height, height)), size, int(height * 1.3)):
        draw.text(
            (int(rng.integers(-height, height)), top), "".join(rng.choice(signs, 24)), fill=ink, font=font
        )
    return np.asarray(image) / 255


def shapes(size: int, rng: Generator) -> NDArray[np.float64]:
    """Draw a few flat polygons, ellipses and lines on a ramp."""
    y, x = (np.mgrid[:size, :size] / size)[..., None]
    first, second, ramp = _palette(rng, 3)
    ground = first + (second - first) * (x if rng.random() < 0.5 else y)
    image = Image.fromarray((np.clip(ground, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for colour in _palette(rng, int(rng.integers(2, 9))):
        fill = tuple(int(255 * v) for v in np.clip((colour + ramp) / 2, 0, 1))
        points = rng.uniform(-0.1, 1.1, (int(rng.integers(3, 6)), 2)) * size
        kind = rng.integers(3)
        if kind == 0:
            draw.polygon([tuple(p) for p in points], fill=fill)
        elif kind == 1:
            (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
            draw.ellipse((x0, y0, x1, y1), fill=fill)
        else:
            draw.line([tuple(p) for p in points], fill=fill, width=int(rng.integers(1, max(size // 10, 2))))
    return np.asarray(image) / 255


def _palette(rng: Generator, count: int) -> NDArray[np.float64]:
    """Draw moderately saturated colours around random brightnesses; (count, 3)."""
    return rng.uniform(0.05, 0.95, (count, 1)) + rng.normal(0, 0.15, (count, 3))
