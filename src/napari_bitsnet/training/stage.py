"""One stage of training the cascade: its coarse network, or its fine one on top of it."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from napari_bitsnet.core.losses.sign_free import sign_free_loss
from napari_bitsnet.core.networks.cascade import COARSE_SIZE, Cascade, double
from napari_bitsnet.core.networks.weights import load_tensors, save_tensors
from napari_bitsnet.data.datasets import PackedImages
from napari_bitsnet.training.checkpoints import restore_training, training_state
from napari_bitsnet.training.pairs import Pairs, mix_pairs
from napari_bitsnet.training.settings import FeedforwardTraining

WINDOW = 2 * COARSE_SIZE
"""Side of the windows that the fine network learns on, pixels."""


@dataclass(frozen=True)
class Progress:
    """One step of training.

    Parameters
    ----------
    stage : str
        ``"coarse"`` or ``"fine"``.
    step : int
        Steps done.
    seconds, seconds_left : float
        Training time so far and what is left of it.
    loss : float
        Mean over the steps since the last validation.
    validation : dict
        ``loss``, ``gain`` and ``median_gain`` (dB, offset-free, at the working size) on held-out images where
        they were measured at this step, else empty.
    picture : ndarray of shape (Y, X, 3), optional
        uint8: a row for each of a few held-out pairs: mixture, the two answers, the two truths. Where there is
        a validation.
    """

    stage: str
    step: int
    seconds: float
    seconds_left: float
    loss: float
    validation: dict[str, float] = field(default_factory=dict)
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Diet:
    """Collections to train on and to validate with, and the chance of each."""

    used: Sequence[PackedImages]
    kept: Sequence[PackedImages]
    chances: Sequence[float]


def picture_size(name: str, config: FeedforwardTraining) -> int:
    """Side of the pictures that a stage is trained on, pixels."""
    return COARSE_SIZE if name == "coarse" else COARSE_SIZE * 2**config.fine_levels


class Stage:
    """Networks, averaged weights, optimiser, and where training stands.

    Parameters
    ----------
    name : str
        Part of the cascade that is trained; the other stays as it is.
    network : Cascade
        On `device`.
    diet : Diet
        Images.
    config : FeedforwardTraining
        Settings.
    steps : int, optional
        Length of the stage; None goes by `seconds`.
    seconds : float
        Length of the stage in training time, where `steps` is None.
    device : str
        A torch device.
    """

    def __init__(
        self,
        name: Literal["coarse", "fine"],
        network: Cascade,
        diet: Diet,
        config: FeedforwardTraining,
        *,
        steps: int | None = None,
        seconds: float = 3600.0,
        device: str = "cpu",
    ) -> None:
        self.name, self.diet, self.config, self.device = name, diet, config, device
        self.steps, self.limit = steps, seconds
        self.network = network
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.network.requires_grad_(False)
        self.part = getattr(network, name).requires_grad_(True)
        self.optimiser = torch.optim.AdamW(
            self.part.parameters(), lr=config.rate, weight_decay=config.decay, betas=(0.9, 0.99)
        )
        self.step, self.seconds = 0, 0.0
        self.size = picture_size(name, config)
        self.count = config.batch if name == "coarse" else config.batch // 2
        half = config.half and (device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported())
        self.autocast = torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=half)
        rng = np.random.default_rng([config.seed, 2**31])
        self.validation = self._pairs(diet.kept, 4 * self.count, rng, hint_chance=0)

    @property
    def done(self) -> float:
        """Part of the training done, in [0, 1]."""
        return min(self.step / self.steps if self.steps is not None else self.seconds / self.limit, 1.0)

    def train(self) -> Iterator[Progress]:
        """Train until done, one step at a time."""
        losses: list[float] = []
        while self.done < 1:
            started = time.monotonic()
            losses.append(self._one_step())
            self.seconds += time.monotonic() - started
            progress = Progress(
                self.name,
                self.step,
                self.seconds,
                self.seconds * (1 / self.done - 1),
                sum(losses) / len(losses),
            )
            if self.step % self.config.validate_every == 0 or self.done >= 1:
                validation, picture = self.validate()
                progress = replace(progress, validation=validation, picture=picture)
                losses = []
            yield progress

    def _one_step(self) -> float:
        # pairs depend on seed and step alone, so that a resumed run sees the same ones
        rng = np.random.default_rng([self.config.seed, self.step])
        pairs = self._pairs(self.diet.used, self.count, rng, hint_chance=self.config.hint_chance)
        warm_up = min(1.0, (self.step + 1) / 200)
        cosine = (1 + math.cos(math.pi * self.done)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate * warm_up * (0.01 + 0.99 * cosine)
        loss = self._coarse_loss(pairs) if self.name == "coarse" else self._fine_loss(pairs, rng)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.part.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        follow = 1 - min(self.config.averaging, self.step / (self.step + 10))
        averaged = getattr(self.average, self.name)
        for mean, value in zip(averaged.parameters(), self.part.parameters(), strict=True):
            mean.lerp_(value.detach(), follow)
        return float(loss.detach())

    def _coarse_loss(self, pairs: Pairs) -> Tensor:
        with self.autocast:
            estimate = self.network.start(pairs.mixture, pairs.hints)
        return sign_free_loss(estimate, pairs.difference).mean()

    def _fine_loss(self, pairs: Pairs, rng: Generator) -> Tensor:
        """Refine one window at one level; errors of d and of its gradients, each relative to the truth's.

        The sign is settled by the answer so far, over the whole picture.
        """
        side = COARSE_SIZE * 2 ** int(rng.integers(1, self.config.fine_levels + 1))
        pairs, below = pairs.reduced(side), pairs.reduced(side // 2)
        with torch.no_grad(), self.autocast:
            so_far = double(self.network(below.mixture, below.hints))
        overlap = (so_far * pairs.difference).sum(dim=(1, 2, 3), keepdim=True)
        sign = torch.where(overlap < 0, -1.0, 1.0)
        top, left = (int(corner) for corner in rng.integers(0, side - WINDOW + 1, 2))
        seen = pairs.window(top, left, WINDOW)
        with self.autocast:
            estimate = self.network.refine(
                seen.mixture, seen.hints, so_far[..., top : top + WINDOW, left : left + WINDOW]
            )
        truth = sign * seen.difference
        energy = truth.square().mean(dim=(1, 2, 3)) + 0.01
        loss = (estimate - truth).square().mean(dim=(1, 2, 3)) / energy
        for axis in (-2, -1):
            slope = truth.diff(dim=axis)
            energy = slope.square().mean(dim=(1, 2, 3)) + 0.001
            loss = loss + 0.5 * (estimate.diff(dim=axis) - slope).square().mean(dim=(1, 2, 3)) / energy
        return loss.mean()

    @torch.no_grad()
    def validate(self) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """Score the averaged weights on held-out images; see `Progress`."""
        with self.autocast:
            estimate = self.average(self.validation.mixture, self.validation.hints)
        truth = self.validation.difference
        loss = sign_free_loss(estimate, truth).mean()
        e, t = (x - x.mean(dim=(2, 3), keepdim=True) for x in (estimate, truth))
        error = torch.minimum((e - t).square().mean((1, 2, 3)), (e + t).square().mean((1, 2, 3)))
        gain = -10 * torch.log10(error / t.square().mean((1, 2, 3)))
        scores = {"loss": float(loss), "gain": float(gain.mean()), "median_gain": float(gain.median())}
        mixture = self.validation.mixture
        columns = [mixture, mixture + estimate, mixture - estimate, mixture + truth, mixture - truth]
        sheet = torch.cat([column[:8] for column in columns], dim=3).permute(0, 2, 3, 1).flatten(0, 1)
        return scores, (sheet.clamp(0, 1) * 255).byte().cpu().numpy()

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        facts = {"stage": self.name, "step": self.step, "seconds": self.seconds}
        save_tensors(path, training_state(self.network, self.average, self.optimiser), facts)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        ValueError
            If it is one of another stage.
        """
        state, facts = load_tensors(path)
        if facts.get("stage") != self.name:
            raise ValueError(
                f"Expected a checkpoint of the {self.name} stage, got {path} of {facts.get('stage')!r}."
            )
        restore_training(state, self.network, self.average, self.optimiser)
        self.step, self.seconds = facts["step"], facts["seconds"]

    def _pairs(
        self, collections: Sequence[PackedImages], count: int, rng: Generator, *, hint_chance: float
    ) -> Pairs:
        pairs = mix_pairs(collections, self.diet.chances, count, self.size, rng, hint_chance=hint_chance)
        return pairs.to(self.device)
