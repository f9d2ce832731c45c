"""Training of the network of `feedforward`: steps, averaged weights, validation and checkpoints."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from napari_bitsnet.core.losses.sign_free import sign_free_loss
from napari_bitsnet.core.networks.weights import load_tensors, save_tensors
from napari_bitsnet.methods.feedforward.network import ANSWER_SIZE, SEEN_SIZE, SplitNetwork, reduce_image
from napari_bitsnet.training.bank import ImageBank
from napari_bitsnet.training.checkpoints import restore_training, training_state
from napari_bitsnet.training.pairs import Pairs, mix_pairs
from napari_bitsnet.training.settings import FeedforwardTraining

LOOK_EVERY = 10
"""Steps after which the loss is fetched from the device: not each time, so that the device need not wait."""


@dataclass(frozen=True)
class Progress:
    """One step of training.

    Parameters
    ----------
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

    step: int
    seconds: float
    seconds_left: float
    loss: float
    validation: dict[str, float] = field(default_factory=dict)
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Diet:
    """Collections to train on and to validate with, and the chance of each."""

    used: Sequence[ImageBank]
    kept: Sequence[ImageBank]
    chances: Sequence[float]


class Training:
    """Network, averaged weights, optimiser, and where training stands.

    Parameters
    ----------
    network : SplitNetwork
        On `device`.
    diet : Diet
        Images.
    config : FeedforwardTraining
        Settings.
    steps : int, optional
        Length of the training in steps; None goes by `seconds`.
    seconds : float
        Length of the training, where `steps` is None.
    device : str
        A torch device.
    """

    def __init__(
        self,
        network: SplitNetwork,
        diet: Diet,
        config: FeedforwardTraining,
        *,
        steps: int | None = None,
        seconds: float = 3600.0,
        device: str = "cpu",
    ) -> None:
        self.diet, self.config, self.device = diet, config, device
        self.steps, self.limit = steps, seconds
        layout = torch.contiguous_format if device == "cpu" else torch.channels_last
        self.network = network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.network.requires_grad_(True)
        given = set() if network.trunk is None else set(network.trunk.parameters())
        own = [p for p in self.network.parameters() if p not in given]
        groups = [{"params": own, "peak": config.rate}]
        if given:  # what comes trained already moves slowly
            groups.append(
                {
                    "params": [p for p in self.network.parameters() if p in given],
                    "peak": config.rate * config.trunk_pace,
                }
            )
        self.optimiser = torch.optim.AdamW(
            groups, lr=config.rate, weight_decay=config.decay, betas=(0.9, 0.99), fused=device != "cpu"
        )
        self.step, self.seconds = 0, 0.0
        half = config.half and (device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported())
        self.autocast = torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=half)
        self.seen = torch.compile(self.network) if config.compiled else self.network
        self.validation = self._pairs(
            diet.kept, config.validation_pairs, self._generator(2**31), hint_chance=0
        )

    @property
    def done(self) -> float:
        """Part of the training done, in [0, 1]."""
        return min(self.step / self.steps if self.steps is not None else self.seconds / self.limit, 1.0)

    def train(self) -> Iterator[Progress]:
        """Train until done, one step at a time."""
        total, losses = torch.zeros((), device=self.device), 0
        mean = math.nan
        while self.done < 1:
            started = time.monotonic()
            total += self._one_step()
            losses += 1
            if self.step % LOOK_EVERY == 0 or losses == 1:
                mean = float(total) / losses
            self.seconds += time.monotonic() - started
            left = self.seconds * (1 / self.done - 1)
            progress = Progress(self.step, self.seconds, left, mean)
            if self.step % self.config.validate_every == 0 or self.done >= 1:
                validation, picture = self.validate()
                mean = float(total) / losses
                progress = replace(progress, loss=mean, validation=validation, picture=picture)
                total, losses = torch.zeros_like(total), 0
            yield progress

    def _one_step(self) -> Tensor:
        # pairs depend on seed and step alone, so that a resumed run sees the same ones
        generator = self._generator(self.step)
        with torch.no_grad():
            pairs = self._pairs(
                self.diet.used, self.config.batch, generator, hint_chance=self.config.hint_chance
            )
        warm_up = min(1.0, (self.step + 1) / 200)
        cosine = (1 + math.cos(math.pi * self.done)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * warm_up * (0.01 + 0.99 * cosine)
        loss = self._loss(pairs)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        follow = 1 - min(self.config.averaging, self.step / (self.step + 10))
        averaged = list(self.average.parameters())
        with torch.no_grad():
            torch._foreach_lerp_(averaged, list(self.network.parameters()), follow)
        return loss.detach()

    def _loss(self, pairs: Pairs) -> Tensor:
        with self.autocast:
            estimate = self.seen(pairs.mixture, pairs.hints)
        truth = reduce_image(pairs.difference, ANSWER_SIZE)
        return sign_free_loss(estimate, truth, pairs.hinted).mean()

    @torch.no_grad()
    def validate(self) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """Score the averaged weights on held-out images; see `Progress`."""
        mixtures, hints = self.validation.mixture, self.validation.hints
        with self.autocast:
            parts = zip(mixtures.split(self.config.batch), hints.split(self.config.batch), strict=True)
            estimate = torch.cat([self.average(m, h) for m, h in parts])
        truth = reduce_image(self.validation.difference, ANSWER_SIZE)
        loss = sign_free_loss(estimate, truth).mean()
        e, t = (x - x.mean(dim=(2, 3), keepdim=True) for x in (estimate, truth))
        error = torch.minimum((e - t).square().mean((1, 2, 3)), (e + t).square().mean((1, 2, 3)))
        gain = -10 * torch.log10(error / t.square().mean((1, 2, 3)))
        scores = {"loss": float(loss), "gain": float(gain.mean()), "median_gain": float(gain.median())}
        mixture = reduce_image(mixtures, ANSWER_SIZE)
        columns = [mixture, mixture + estimate, mixture - estimate, mixture + truth, mixture - truth]
        sheet = torch.cat([column[:8] for column in columns], dim=3).permute(0, 2, 3, 1).flatten(0, 1)
        return scores, (sheet.clamp(0, 1) * 255).byte().cpu().numpy()

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        facts = {"training": "feedforward", "step": self.step, "seconds": self.seconds}
        save_tensors(path, training_state(self.network, self.average, self.optimiser), facts)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        ValueError
            If the file is not a checkpoint of this training.
        """
        state, facts = load_tensors(path)
        if facts.get("training") != "feedforward":
            raise ValueError(f"Expected a checkpoint of the training of feedforward, got {path}.")
        restore_training(state, self.network, self.average, self.optimiser)
        self.step, self.seconds = facts["step"], facts["seconds"]

    def _pairs(
        self, banks: Sequence[ImageBank], count: int, generator: Generator, *, hint_chance: float
    ) -> Pairs:
        return mix_pairs(banks, self.diet.chances, count, SEEN_SIZE, generator, hint_chance=hint_chance)

    def _generator(self, number: int) -> Generator:
        """Random numbers on the device that depend on the settings' seed and `number` alone."""
        seed = int(np.random.SeedSequence([self.config.seed, number]).generate_state(1, np.uint64)[0] >> 1)
        return Generator(self.device).manual_seed(seed)
