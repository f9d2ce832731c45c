"""Examples for the network that corrects guided separation: fits of simulated panels, their errors, and the
loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor

from napari_bitsnet.methods.guided.correction import detail, view

if TYPE_CHECKING:
    from napari_bitsnet.training.records import Look

FLOOR = 0.03
"""Offset of the relative error before its logarithm, so that a perfect answer has a finite loss."""


class Sample:
    """One fitted panel with one or two guides; tensors in half precision."""

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

    def seen(self, source: int) -> tuple[Tensor, Tensor]:
        """Return the network's input for a source and its target, (1, 12, H, W) and (1, 2, H, W)."""
        mixture = self.mixture.float()[None]
        explained = [
            e.float()[None, None] if k < self.n_guides else None for k, e in enumerate(self.explained)
        ]
        pictures = [self.pictures[k].float()[None] if k < self.n_guides else None for k in range(2)]
        target = self.missing[source].float()[None] / mixture.std()
        return view(mixture, explained, pictures, source), target


def example(samples: list[Sample], rng: Generator, *, side: int, two_guides: float) -> tuple[Tensor, Tensor]:
    """Cut a square out of a random panel for one of its guided sources, and resize, rotate, mirror and tint
    it at random."""
    n_guides = 2 if rng.uniform() < two_guides else 1
    of_kind = [sample for sample in samples if sample.n_guides == n_guides]
    sample = of_kind[int(rng.integers(len(of_kind)))]
    seen, target = sample.seen(int(rng.integers(sample.n_guides)))
    both = torch.cat([seen, target], dim=1)
    size = both.shape[-1]
    cut = side if rng.uniform() < 0.6 else min(size, round(side * rng.uniform(0.6, 1.6)))
    top, left = rng.integers(0, size - cut + 1, 2)
    both = both[..., top : top + cut, left : left + cut]
    if cut != side:
        both = F.interpolate(both, (side, side), mode="bilinear", antialias=True)
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
    """Return the mean logarithm of the remaining error of details over the initial one: explained part (0.25)
    and sources (0.75)."""
    said, target = detail(said), detail(target)
    left = (said - target).square().mean(dim=(2, 3)) / (target.square().mean(dim=(2, 3)) + 1e-4)
    per_kind = (left + FLOOR).log().mean(dim=0)
    return 0.25 * per_kind[0] + 0.75 * per_kind[1]


def gains(look: Look, samples: list[Sample], device: str = "cpu") -> dict[int, list[tuple[float, float]]]:
    """Return the reduction of the errors of the explained part and the sources in dB, for one and two
    guides."""
    found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for sample in samples:
        said, targets = [], []
        for source in range(sample.n_guides):
            seen, target = sample.seen(source)
            with torch.no_grad():
                said.append(detail(look(seen.to(device)).cpu()))
            targets.append(target)
        change = said[0][:, 1] if len(said) == 1 else (said[0][:, 1] - said[1][:, 1]) / 2
        pairs = [(said[0][:, 0], targets[0][:, 0]), (change, targets[0][:, 1])]
        one, two = (
            -10 * math.log10(float(((s - s.mean()) - t).square().sum() / t.square().sum())) for s, t in pairs
        )
        found[sample.n_guides].append((one, two))
    return found
