"""Trains the weights of the method `feedforward`: first the coarse network, then the fine one."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.device import resolve_device
from napari_bitsnet.core.losses.sign_free import sign_free_loss
from napari_bitsnet.core.networks.cascade import COARSE_SIZE, Cascade
from napari_bitsnet.core.networks.weights import load_tensors, save_tensors
from napari_bitsnet.data.datasets import PackedImages, load_images
from napari_bitsnet.data.procedural import procedural_images
from napari_bitsnet.training.checkpoints import restore_training, training_state
from napari_bitsnet.training.pairs import Pairs, mix_pairs

HOLD_OUT = 40
"""One image in so many is kept for validation."""


class FeedforwardTraining(Config):
    """Settings of one stage of training."""

    stage: Literal["coarse", "fine"] = setting(
        "coarse", "Which network: the coarse one sees 32 x 32 pixels, the fine one refines its answer."
    )
    size: int = setting(64, "Fine stage: pixels a side of the training pictures.", ge=64, le=512, step=64)
    batch: int = setting(48, "Pairs a step.", ge=1, le=4096, step=16)
    steps: int | None = setting(
        None, "Steps to train; none: until the time is up.", ge=1, le=10**8, step=1000
    )
    hours: float = setting(
        1.0, "Time to train, unless steps are given.", ge=0.001, le=1000, step=0.5, unit="h"
    )
    rate: float = setting(1e-3, "Largest learning rate.", ge=1e-6, le=0.1, step=1e-4)
    decay: float = setting(0.02, "Weight decay.", ge=0, le=1, step=0.01)
    averaging: float = setting(0.999, "How slowly the averaged weights follow.", ge=0, le=0.99999, step=1e-3)
    hint_chance: float = setting(0.5, "Part of the pairs that come with scribbles.", ge=0, le=1, step=0.1)
    procedural: float = setting(0.15, "Part of the images that are drawn by rules.", ge=0, le=1, step=0.05)
    half: bool = setting(True, "Compute in bfloat16 where it can be done.")
    checkpoint_every: float = setting(180.0, "Time between checkpoints.", ge=1, le=86400, step=60, unit="s")
    seed: int = setting(0, "Seed of weights, pairs and validation.", ge=0, le=2**31 - 1, step=1)


@dataclass(frozen=True)
class Progress:
    """One step of training.

    Parameters
    ----------
    step : int
        Steps done.
    done : float
        Part of the training done, in [0, 1].
    seconds, seconds_left : float
        Training time so far and what is left of it.
    loss : float
        Of this step's pairs.
    validation : dict
        ``loss`` and ``gain`` (dB, offset-free, at the working size) on held-out images where they were
        measured at this step, else empty.
    """

    step: int
    done: float
    seconds: float
    seconds_left: float
    loss: float
    validation: dict[str, float]


def load_collections(
    sources: Sequence[Path], config: FeedforwardTraining, cache: Path | None
) -> tuple[list[PackedImages], list[PackedImages], list[float]]:
    """Read the images, twice as large as they are trained on: (for training, held out, chances).

    A collection is drawn from by the fourth root of its size, so that a few whole scenes are not lost
    among many small pictures.
    """
    side = 2 * (COARSE_SIZE if config.stage == "coarse" else config.size)
    loaded = [load_images(source, short_side=side, cache=cache) for source in sources]
    weights = np.array([len(images) ** 0.25 for images in loaded])
    chances = list((1 - config.procedural) * weights / weights.sum())
    if config.procedural:
        loaded.append(procedural_images(3000, side, seed=config.seed))
        chances.append(config.procedural)
    index = [np.arange(len(images)) for images in loaded]
    kept = [p.subset(i[i % HOLD_OUT == HOLD_OUT - 1]) for p, i in zip(loaded, index, strict=True)]
    used = [p.subset(i[i % HOLD_OUT != HOLD_OUT - 1]) for p, i in zip(loaded, index, strict=True)]
    return used, kept, chances


class Trainer:
    """One stage of training: network, averaged weights, optimiser, and where it stands.

    Parameters
    ----------
    config : FeedforwardTraining
        Settings.
    used, kept : sequence of PackedImages
        Collections to train on and to validate with.
    chances : sequence of float
        Chance of each collection.
    network : Cascade
        Only the part named by ``config.stage`` is trained.
    device : str
        As in `resolve_device`.
    """

    def __init__(
        self,
        config: FeedforwardTraining,
        used: Sequence[PackedImages],
        kept: Sequence[PackedImages],
        chances: Sequence[float],
        network: Cascade,
        *,
        device: str = "auto",
    ) -> None:
        self.config, self.device = config, resolve_device(device)
        self.used, self.chances = used, list(chances)
        self.network = network.to(self.device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.network.requires_grad_(False)
        self.part = getattr(self.network, config.stage).requires_grad_(True)
        self.optimiser = torch.optim.AdamW(
            self.part.parameters(), lr=config.rate, weight_decay=config.decay, betas=(0.9, 0.99)
        )
        self.step, self.seconds = 0, 0.0
        self.half = config.half and (self.device.startswith("cuda") or _cpu_has_bfloat16())
        rng = np.random.default_rng([config.seed, 2**31])
        self.validation = self._to_device(mix_pairs(kept, self.chances, 192, self._size, rng, hint_chance=0))

    @property
    def _size(self) -> int:
        return COARSE_SIZE if self.config.stage == "coarse" else self.config.size

    @property
    def done(self) -> float:
        """Part of the training done, by steps if they are given, else by time."""
        if self.config.steps is not None:
            return min(self.step / self.config.steps, 1.0)
        return min(self.seconds / (3600 * self.config.hours), 1.0)

    def train(self) -> Iterator[Progress]:
        """Train until done, one step at a time."""
        while self.done < 1:
            started = time.monotonic()
            loss = self._one_step()
            self.seconds += time.monotonic() - started
            measured = self.validate() if self.step % 500 == 0 or self.done >= 1 else {}
            left = self.seconds * (1 - self.done) / max(self.done, 1e-9)
            yield Progress(self.step, self.done, self.seconds, left, loss, measured)

    def _one_step(self) -> float:
        # pairs depend on seed and step alone, so that a resumed run sees the same ones
        rng = np.random.default_rng([self.config.seed, self.step])
        pairs = self._to_device(
            mix_pairs(
                self.used,
                self.chances,
                self.config.batch,
                self._size,
                rng,
                hint_chance=self.config.hint_chance,
            )
        )
        warm_up = min(1.0, (self.step + 1) / 200)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate * warm_up * (0.01 + 0.99 * (1 + math.cos(math.pi * self.done)) / 2)
        loss = self._loss(self.network, pairs).mean()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.part.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        follow = min(self.config.averaging, self.step / (self.step + 10))
        averaged = getattr(self.average, self.config.stage)
        for mean, value in zip(averaged.parameters(), self.part.parameters(), strict=True):
            mean.lerp_(value.detach(), 1 - follow)
        return float(loss.detach())

    def predict(self, network: Cascade, pairs: Pairs) -> Tensor:
        """Return d for the pairs, at the size of this stage."""
        with torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16, enabled=self.half):
            if self.config.stage == "coarse":
                return network.start(pairs.mixture, pairs.hints)
            return network(pairs.mixture, pairs.hints)

    def _loss(self, network: Cascade, pairs: Pairs) -> Tensor:
        estimate = self.predict(network, pairs)
        return sign_free_loss(estimate, pairs.difference, signed=pairs.hinted)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss, and offset-free gain in dB at the working size, of the averaged weights on held-out images."""
        estimate = self.predict(self.average, self.validation)
        truth = self.validation.difference
        loss = sign_free_loss(estimate, truth).mean()
        e, t = (x - x.mean(dim=(2, 3), keepdim=True) for x in (estimate, truth))
        error = torch.minimum((e - t).square().mean((1, 2, 3)), (e + t).square().mean((1, 2, 3)))
        gain = -10 * torch.log10(error / t.square().mean((1, 2, 3)))
        return {"loss": float(loss), "gain": float(gain.mean()), "median_gain": float(gain.median())}

    def _to_device(self, pairs: Pairs) -> Pairs:
        return Pairs(*(t.to(self.device) for t in (pairs.mixture, pairs.difference, pairs.hints)))

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        facts = {"config": self.config.model_dump(), "step": self.step, "seconds": self.seconds}
        save_tensors(path, training_state(self.network, self.average, self.optimiser), facts)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state, facts = load_tensors(path)
        restore_training(state, self.network, self.average, self.optimiser)
        self.step, self.seconds = facts["step"], facts["seconds"]


def _cpu_has_bfloat16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
