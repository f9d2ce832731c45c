"""Trains the network that finds cracks in photographs of paintings: cracks are drawn by rules into pictures.

The weights that ship were made by::

    from napari_bitsnet.training.cracks import train_cracks

    for step, explained in train_cracks("cracks.safetensors", photographs="photos", minutes=26):
        print(step, explained)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from napari_bitsnet.core.networks.unet import UNet
from napari_bitsnet.core.networks.weights import save_tensors
from napari_bitsnet.data.brushwork import paint
from napari_bitsnet.data.datasets import unreserved_photographs
from napari_bitsnet.data.paintings import painting
from napari_bitsnet.data.photographs import fit
from napari_bitsnet.data.xray_layers import cracks
from napari_bitsnet.io.read import read_image
from napari_bitsnet.training.loop import Schedule, train_network

SEED = 1_000_000
"""Far from the seeds of benchmarks and tests."""
PICTURES, NETS, SIZE = 200, 160, 256
"""Numbers of pictures and of nets of cracks, and their side in pixels."""
KEPT, KEPT_EXAMPLES = 16, 48
"""Pictures and nets that are only validated with, and the examples that are drawn from them."""
SIDE, BORDER, BATCH = 128, 4, 8
"""Side of an example, pixels that are cut off around it after warping, and examples in a step."""
WIDTHS = (24, 40, 56)
USUAL_ERROR = 0.1
"""Errors are divided by this, so that the loss is of the order of one."""
REPORT_EVERY = 250
"""Steps between two validations."""


def train_cracks(
    out: str | Path,
    *,
    photographs: str | Path | None = None,
    minutes: float = 18.0,
    steps: int | None = None,
    n_pictures: int = PICTURES,
    n_nets: int = NETS,
) -> Iterator[tuple[int, float]]:
    """Train, and write the averaged weights in half precision after each validation.

    Parameters
    ----------
    out : str or Path
        Weights to write, ``.safetensors``.
    photographs : str or Path, optional
        Folder of photographs (``*.jpg``); those that are reserved for scores are left out. None: drawn paintings only.
    minutes : float
        Length of the training, unless `steps` is given; one core is enough.
    steps : int, optional
        Length of the training in steps.
    n_pictures, n_nets : int
        Pictures and nets of cracks, more than `KEPT` each; the first `KEPT` are never trained on.

    Yields
    ------
    tuple of int and float
        Steps done, and the part of the kept cracks' energy that the averaged network explains, at most 1.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(SEED)
    nets = np.stack([cracks(rng, (SIZE, SIZE)) for _ in range(n_nets)])
    nets = (255 * nets).round().astype(np.uint8)
    images = pictures(unreserved_photographs(photographs), n_pictures, rng)
    kept_seen, kept_taken = batch(images[:KEPT], nets[:KEPT], KEPT_EXAMPLES, np.random.default_rng(5))
    network = UNet(3, 1, widths=WIDTHS, blocks=1, stem=2, silent=True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss() -> Tensor:
        seen, taken = batch(images[KEPT:], nets[KEPT:], BATCH, rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            said = network((seen - 0.5).contiguous(memory_format=torch.channels_last)).float()
        return ((said - taken) / USUAL_ERROR).square().mean()

    for at in train_network(network, loss, Schedule(minutes, steps)):
        if at.step % REPORT_EVERY == 0 or at.done >= 1:
            with torch.no_grad():
                left = (at.average(kept_seen - 0.5) - kept_taken).square().sum() / kept_taken.square().sum()
            facts = {"method": "cracks", "network": {"widths": WIDTHS}, "steps": at.step}
            half = {name: tensor.half() for name, tensor in at.average.state_dict().items()}
            save_tensors(Path(out), half, facts)
            yield at.step, 1 - float(left)


def pictures(photographs: list[Path], count: int, rng: Generator) -> NDArray[np.uint8]:
    """Return paintings drawn by rules (half of them), photographs, and photographs painted over, (N, Y, X, 3)."""
    made = []
    for n in range(count):
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
    """Cut a square out of (C, Y, X), resized, turned and mirrored at random."""
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
    """Return a cracked picture (3, S, S) in [0, 1] and the part of the light that its cracks take (1, S, S)."""
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
