"""Trains the small network that finds cracks in photographs of paintings: cracks drawn by rules into pictures, taken out again.

``python docs/scripts/train_cracks.py -o cracks.safetensors --photos DIR --minutes 18``; one core is enough.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from napari_bitsnet.benchmark.folder import reserved_photographs
from napari_bitsnet.core.networks.unet import UNet
from napari_bitsnet.core.networks.weights import save_tensors
from napari_bitsnet.data.brushwork import paint
from napari_bitsnet.data.paintings import painting
from napari_bitsnet.data.photographs import fit
from napari_bitsnet.data.reading import read_image
from napari_bitsnet.data.xray_layers import cracks

SEED = 1_000_000
"""Far from the seeds of benchmarks and tests."""
PICTURES, NETS_OF_CRACKS, SIZE, KEPT = 200, 160, 256, 16
SIDE, BORDER, BATCH = 128, 4, 8
WIDTHS = (24, 40, 56)
RATE, DECAY, AVERAGING = 2e-3, 0.01, 0.998


def pictures(photographs: list[Path], rng: Generator) -> NDArray[np.uint8]:
    """Paintings drawn by rules (half of them), photographs, and photographs painted over, (N, Y, X, 3)."""
    made = []
    for n in range(PICTURES):
        if n % 4 < 2 or not photographs:
            picture = painting(rng, (SIZE, SIZE))[0]
        else:
            photograph = np.atleast_3d(
                read_image(photographs[int(rng.integers(len(photographs)))]).channels_last
            )
            photograph = np.broadcast_to(photograph[..., :3], (*photograph.shape[:2], 3))
            picture = fit(photograph / 255, (SIZE, SIZE))
            picture = paint(rng, picture)[0] if n % 4 == 3 else picture
        made.append((255 * np.clip(picture, 0, 1)).round().astype(np.uint8))
    return np.stack(made)


def crop(image: Tensor, zoom: float, rng: Generator) -> Tensor:
    """A square of (C, Y, X), resized, turned and mirrored at random."""
    side = SIDE + 2 * BORDER
    cut = min(round(side * zoom), SIZE)
    top, left = rng.integers(0, SIZE - cut + 1, 2)
    image = image[:, top : top + cut, left : left + cut]
    if cut != side:
        image = F.interpolate(image[None], (side, side), mode="bilinear", antialias=True)[0]
    if rng.uniform() < 0.5:
        image = image.transpose(1, 2)
    return image.flip([axis for axis in (1, 2) if rng.uniform() < 0.5])


def example(picture: NDArray, crack: NDArray, rng: Generator) -> tuple[Tensor, Tensor]:
    """A cracked picture (3, S, S) and the part of the light that its cracks take (1, S, S)."""
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
    """Examples of random pictures and cracks, (N, 3, S, S) and (N, 1, S, S)."""
    drawn = [
        example(images[rng.integers(len(images))], lines[rng.integers(len(lines))], rng) for _ in range(count)
    ]
    return torch.stack([seen for seen, _ in drawn]), torch.stack([taken for _, taken in drawn])


def main() -> None:
    """Train, print how it goes, keep the averaged weights in half precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True, help="Weights to write.")
    parser.add_argument(
        "--photos", type=Path, help="Folder of photographs; those that are reserved are left out."
    )
    parser.add_argument("--minutes", type=float, default=18)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    reserved = set(reserved_photographs(arguments.photos)) if arguments.photos else set()
    found = sorted(arguments.photos.glob("*.jpg")) if arguments.photos else []
    lines = np.stack([cracks(rng, (SIZE, SIZE)) for _ in range(NETS_OF_CRACKS)])
    lines = (255 * lines).round().astype(np.uint8)
    images = pictures([path for path in found if path not in reserved], rng)
    kept = batch(images[:KEPT], lines[:KEPT], 48, np.random.default_rng(5))

    network = UNet(3, 1, widths=WIDTHS, blocks=1, stem=2, silent=True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY, betas=(0.9, 0.99))
    start, step, done = time.monotonic(), 0, 0.0
    while done < 1:
        seen, taken = batch(images[KEPT:], lines[KEPT:], BATCH, rng)
        cosine = (1 + math.cos(math.pi * done)) / 2
        optimiser.param_groups[0]["lr"] = RATE * min(1, (step + 1) / 100) * (0.01 + 0.99 * cosine)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            said = network((seen - 0.5).contiguous(memory_format=torch.channels_last)).float()
        loss = ((said - taken) / 0.1).square().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        follow = 1 - min(AVERAGING, step / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), follow)
        step, done = step + 1, min(1.0, (time.monotonic() - start) / (60 * arguments.minutes))
        if step % 250 == 0 or done >= 1:
            with torch.no_grad():
                left = (average(kept[0] - 0.5) - kept[1]).square().sum() / kept[1].square().sum()
            print(f"step {step}, loss {loss.item():.4f}, explained {1 - left:.3f}", flush=True)  # noqa: T201
            facts = {"method": "cracks", "network": {"widths": WIDTHS}, "steps": step}
            half = {name: tensor.half() for name, tensor in average.state_dict().items()}
            save_tensors(arguments.out, half, facts)


if __name__ == "__main__":
    main()
