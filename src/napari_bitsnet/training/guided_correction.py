"""Trains the network that corrects guided separation, on panels that `guided_panels` simulates and fits.

The weights that ship were made by::

    from napari_bitsnet.training.guided_correction import train_correction
    from napari_bitsnet.training.guided_panels import solve_panels

    for path in solve_panels("bank", photographs="photos", minutes=30):
        print(path)
    for report in train_correction("correction.safetensors", "bank", minutes=60):
        print(report)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor

from napari_bitsnet.core.networks.unet import UNet
from napari_bitsnet.core.networks.weights import expand, load_tensors, save_tensors
from napari_bitsnet.methods.guided.correction import CHANNELS_IN, CHANNELS_OUT, detail, view
from napari_bitsnet.training.loop import Schedule, train_network

NETWORK = {"widths": (32, 48, 64, 96), "blocks": 1, "stem": 2}
KEPT = 16
"""Panels that are never trained on, the first ones."""
SIDE, BATCH = 144, 8
"""Side of an example in pixels, and examples in a step."""
TWO = 0.7
"""Chance of a panel with two guides, of which there is less to learn."""
FLOOR = 0.03
"""Added to the relative error before its logarithm."""
REPORT_EVERY = 100
"""Steps between two validations."""


@dataclass(frozen=True)
class CorrectionReport:
    """A validation on the kept panels.

    Parameters
    ----------
    step : int
        Steps done.
    samples : int
        Fits that are trained on.
    loss : float
        Mean over the steps since the report before.
    gains : dict
        For one and two guides, decibels by which the errors of (explained part, sources) shrink, a pair for each fit.
    """

    step: int
    samples: int
    loss: float
    gains: dict[int, list[tuple[float, float]]]


def train_correction(
    out: str | Path,
    bank: str | Path,
    *,
    minutes: float = 60.0,
    steps: int | None = None,
    weights: str | Path | None = None,
    rate: float = 2e-3,
    n_kept: int = KEPT,
) -> Iterator[CorrectionReport]:
    """Train, and write the averaged weights in half precision after each validation.

    Parameters
    ----------
    out : str or Path
        Weights to write, ``.safetensors``.
    bank : str or Path
        Folder of `guided_panels.solve_panels`, which may still be growing.
    minutes : float
        Length of the training, unless `steps` is given.
    steps : int, optional
        Length of the training in steps.
    weights : str or Path, optional
        Weights to begin with.
    rate : float
        Largest learning rate.
    n_kept : int
        Panels that are only validated with, the first ones of the folder.

    Raises
    ------
    ValueError
        If the folder has no fits beyond the kept ones, with one guide and with two.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    loaded: dict[Path, Sample] = {}
    kept, samples = _samples(Path(bank), loaded, n_kept)
    network = UNet(CHANNELS_IN, CHANNELS_OUT, **NETWORK, silent=True)  # type: ignore[arg-type]
    before = 0
    if weights is not None:
        tensors, facts = load_tensors(Path(weights))
        network.load_state_dict(expand(tensors))
        before = facts["steps"]
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss() -> Tensor:
        drawn = [example(samples, rng) for _ in range(BATCH)]
        seen = torch.cat([s for s, _ in drawn]).contiguous(memory_format=torch.channels_last)
        return log_error(network(seen), torch.cat([t for _, t in drawn]))

    losses: list[float] = []
    for at in train_network(network, loss, Schedule(minutes, steps, rate=rate)):
        losses.append(at.loss)
        if at.step % REPORT_EVERY == 0 or at.done >= 1:
            half = {name: tensor.half() for name, tensor in at.average.state_dict().items()}
            facts = {"method": "correction", "network": NETWORK, "steps": before + at.step}
            save_tensors(Path(out), half, facts)
            yield CorrectionReport(
                at.step, len(samples), float(np.mean(losses)), gains(cast(UNet, at.average), kept)
            )
            losses.clear()
            kept, samples = _samples(Path(bank), loaded, n_kept)


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

    def seen(self, source: int) -> tuple[Tensor, Tensor]:
        """Return the network's input for a source and its target, (1, 12, H, W) and (1, 2, H, W)."""
        mixture = self.mixture.float()[None]
        explained = [
            e.float()[None, None] if k < self.n_guides else None for k, e in enumerate(self.explained)
        ]
        pictures = [self.pictures[k].float()[None] if k < self.n_guides else None for k in range(2)]
        target = self.missing[source].float()[None] / mixture.std()
        return view(mixture, explained, pictures, source), target


def example(samples: list[Sample], rng: Generator) -> tuple[Tensor, Tensor]:
    """Cut a square out of a random panel, for one of its guided sources; resized, turned, mirrored, tinted at random."""
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
    """Return the mean logarithm of the remaining error of details over the initial one: explained part (0.25) and sources (0.75)."""
    said, target = detail(said), detail(target)
    left = (said - target).square().mean(dim=(2, 3)) / (target.square().mean(dim=(2, 3)) + 1e-4)
    per_kind = (left + FLOOR).log().mean(dim=0)
    return 0.25 * per_kind[0] + 0.75 * per_kind[1]


def gains(network: UNet, samples: list[Sample]) -> dict[int, list[tuple[float, float]]]:
    """Return, for one and two guides, the decibels by which the errors of the explained part and of the sources shrink."""
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


def _samples(bank: Path, loaded: dict[Path, Sample], n_kept: int) -> tuple[list[Sample], list[Sample]]:
    """Read the files that are new; return the kept samples and those to train on."""
    for path in sorted(bank.glob("*.npz")):
        if path not in loaded:
            loaded[path] = Sample(path)
    ordered = [loaded[path] for path in sorted(loaded)]
    kept, used = ordered[: 2 * n_kept], ordered[2 * n_kept :]
    if {sample.n_guides for sample in used} != {1, 2}:
        raise ValueError(
            f"Expected fits of more than {n_kept} panels in {bank}, got {len(ordered) // 2}: run solve_panels for longer."
        )
    return kept, used
