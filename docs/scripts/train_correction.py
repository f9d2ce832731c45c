"""Trains the small network that corrects guided separation, on panels that `correction_bank.py` simulates and solves.

``python docs/scripts/train_correction.py BANK -o correction.safetensors --minutes 60``
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
from torch import Tensor

from napari_bitsnet.core.networks.unet import UNet
from napari_bitsnet.core.networks.weights import expand, load_tensors, save_tensors
from napari_bitsnet.methods._guided_correction import CHANNELS_IN, CHANNELS_OUT, detail, view

NETWORK = {"widths": (32, 48, 64, 96), "blocks": 1, "stem": 2}
KEPT = 16
"""Panels that are never trained on, the first ones."""
SIDE, BATCH = 144, 8
DECAY, AVERAGING = 0.01, 0.998
TWO = 0.7
"""Chance of a panel with two guides, of which there is less to learn."""
FLOOR = 0.03
"""Added to the relative error before its logarithm."""


class Sample:
    """One panel with one or two guides, solved; tensors in half precision."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            part = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        self.n_guides = len(part["colours"])
        self.mixture, self.explained = part["mixture"], part["explained"]
        self.pictures = torch.cat([part["colours"], part["cracks"]], dim=1)
        self.missing = torch.stack(
            [part["true_explained"] - part["explained"], part["true_sources"] - part["sources"]], dim=1
        ).float()  # (2 sources, explained and source, H, W)
        self.missing -= self.missing.mean(dim=(2, 3), keepdim=True)
        self.missing = self.missing.half()

    def seen(self, source: int, colours: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the network sees of a source, and what it should say, (1, 12, H, W) and (1, 2, H, W)."""
        mixture = self.mixture.float()[None]
        explained = [
            e.float()[None, None] if k < self.n_guides else None for k, e in enumerate(self.explained)
        ]
        pictures = [self.pictures[k].float()[None] if k < self.n_guides else None for k in range(2)]
        target = self.missing[source].float()[None] / mixture.std()
        return view(mixture, explained, pictures, source), target


def example(samples: list[Sample], rng: Generator) -> tuple[Tensor, Tensor]:
    """A square of a random panel, asked about one of its guided sources; resized, turned, mirrored, tinted at random."""
    n_guides = 2 if rng.uniform() < TWO else 1
    of_kind = [sample for sample in samples if sample.n_guides == n_guides]
    sample = of_kind[int(rng.integers(len(of_kind)))]
    seen, target = sample.seen(int(rng.integers(sample.n_guides)))
    both = torch.cat([seen, target], dim=1)
    size = both.shape[-1]
    cut = SIDE if rng.uniform() < 0.6 else min(size, round(SIDE * rng.uniform(0.6, 1.6)))
    top, left = rng.integers(0, size - cut + 1, 2)
    both = both[..., top : top + cut, left : left + cut]
    if cut != SIDE:
        both = F.interpolate(both, (SIDE, SIDE), mode="bilinear", antialias=True)
    if rng.uniform() < 0.5:
        both = both.transpose(2, 3)
    both = both.flip([axis for axis in (2, 3) if rng.uniform() < 0.5]).clone()
    for first in (3, 7):  # photographs: other colours, same places
        if rng.uniform() < 0.3:
            both[:, first : first + 3] = both[:, first : first + 3][:, torch.from_numpy(rng.permutation(3))]
        if rng.uniform() < 0.3 and sample.n_guides > (first == 7):
            power = float(rng.uniform(0.7, 1.4))
            both[:, first : first + 3] = (both[:, first : first + 3] + 0.5).clamp(0, 1) ** power - 0.5
    return both[:, :-2], both[:, -2:]


def log_error(said: Tensor, target: Tensor) -> Tensor:
    """Mean logarithm of the error of details that is left over that before: of what is explained (one quarter) and of sources."""
    said, target = detail(said), detail(target)
    left = (said - target).square().mean(dim=(2, 3)) / (target.square().mean(dim=(2, 3)) + 1e-4)
    per_kind = (left + FLOOR).log().mean(dim=0)
    return 0.25 * per_kind[0] + 0.75 * per_kind[1]


def gains(network: UNet, samples: list[Sample]) -> dict[int, list[tuple[float, float]]]:
    """For one and two guides: decibels by which errors of what is explained, and of sources, become smaller."""
    found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for sample in samples:
        said, targets = [], []
        for source in range(sample.n_guides):
            seen, target = sample.seen(source)
            with torch.no_grad():
                said.append(detail(network(seen.contiguous(memory_format=torch.channels_last))))
            targets.append(target)
        change = said[0][:, 1] if len(said) == 1 else (said[0][:, 1] - said[1][:, 1]) / 2
        pairs = [(said[0][:, 0], targets[0][:, 0]), (change, targets[0][:, 1])]
        one, two = (
            -10 * math.log10(float(((s - s.mean()) - t).square().sum() / t.square().sum())) for s, t in pairs
        )
        found[sample.n_guides].append((one, two))
    return found


def main() -> None:
    """Train, print how it goes, keep the averaged weights in half precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bank", type=Path, help="Folder that correction_bank.py wrote, or is writing.")
    parser.add_argument("-o", "--out", type=Path, required=True, help="Weights to write.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--weights", type=Path, help="Weights to begin with.")
    parser.add_argument("--rate", type=float, default=2e-3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    rng = np.random.default_rng(0)
    loaded: dict[Path, Sample] = {}

    def look() -> tuple[list[Sample], list[Sample]]:
        for path in sorted(arguments.bank.glob("*.npz")):
            if path not in loaded:
                loaded[path] = Sample(path)
        ordered = [loaded[path] for path in sorted(loaded)]
        return ordered[: 2 * KEPT], ordered[2 * KEPT :]

    kept, samples = look()
    network = UNet(CHANNELS_IN, CHANNELS_OUT, **NETWORK, silent=True)  # type: ignore[arg-type]
    before = 0
    if arguments.weights:
        tensors, facts = load_tensors(arguments.weights)
        network.load_state_dict(expand(tensors))
        before = facts["steps"]
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=arguments.rate, weight_decay=DECAY, betas=(0.9, 0.99)
    )
    start, step, done, losses = time.monotonic(), 0, 0.0, []
    while done < 1:
        drawn = [example(samples, rng) for _ in range(BATCH)]
        seen = torch.cat([s for s, _ in drawn]).contiguous(memory_format=torch.channels_last)
        loss = log_error(network(seen), torch.cat([t for _, t in drawn]))
        cosine = (1 + math.cos(math.pi * done)) / 2
        optimiser.param_groups[0]["lr"] = arguments.rate * min(1, (step + 1) / 100) * (0.01 + 0.99 * cosine)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        follow = 1 - min(AVERAGING, step / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), follow)
        losses.append(loss.item())
        step, done = step + 1, min(1.0, (time.monotonic() - start) / (60 * arguments.minutes))
        if step % 100 == 0 or done >= 1:
            found = gains(average, kept)
            told = "; ".join(
                f"{n} guide(s): explained {np.mean([a for a, _ in g]):+.2f}, sources "
                f"{np.mean([b for _, b in g]):+.2f} dB, least {min(b for _, b in g):+.2f}"
                for n, g in found.items()
            )
            about = f"step {step}, {len(samples)} samples, loss {np.mean(losses[-200:]):.4f}"
            print(f"{about}; {told}", flush=True)  # noqa: T201
            facts = {"method": "correction", "network": NETWORK, "steps": before + step}
            save_tensors(arguments.out, {name: t.half() for name, t in average.state_dict().items()}, facts)
            kept, samples = look()


if __name__ == "__main__":
    main()
