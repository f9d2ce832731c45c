"""The loop that all trainers share: AdamW with warm-up and cosine, averaged weights, validation,
checkpoints."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor, nn

from napari_bitsnet.core.networks.weights import load_tensors, save_tensors
from napari_bitsnet.training.checkpoints import restore_training, training_state
from napari_bitsnet.training.files import CHECKPOINT, LOSSES, PICTURE
from napari_bitsnet.training.records import Progress, TrainingConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_bitsnet.training.records import Look

    Loss = Callable[[Look, int], Tensor]
    Validate = Callable[[Look], tuple[dict[str, float], NDArray[np.uint8] | None]]

WARM_UP = 200
"""Steps until the largest learning rate: the second moments of AdamW need about 100 steps at beta 0.99."""
LAST_RATE = 0.01
"""Ratio of the last to the largest learning rate."""
LARGEST_GRADIENT = 1.0
"""Norm at which gradients are clipped."""
LOOK_EVERY = 10
"""Steps between two readings of the loss from the device, which waits at each of them."""


class Loop:
    """A network, its averaged weights, its optimiser, and the progress of its training.

    Parameters
    ----------
    trainer : str
        Name of the trainer, for the checkpoint.
    network : nn.Module
        Network, which is moved to the device and trained in place.
    paces : list of (list of parameters, float)
        Groups of parameters with their learning rates relative to ``config.rate``.
    config : TrainingConfig
        Length, rates, averaging and precision.
    folder : Path
        Folder of the checkpoint, the loss curve and the picture of held-out data.
    device : str
        A torch device.
    meaning : mapping, optional
        What decides the meaning of the weights, for the checkpoint; see `meaning_of`.
    betas : (float, float), optional
        How slowly AdamW's first and second moments follow.

    Attributes
    ----------
    scores : dict of str to float
        Scores of the last validation, also of one before the training was resumed; empty before the first.
    precision : context manager
        In it the network computes in bfloat16 where the configuration and the processor allow it.

    Notes
    -----
    The averaged weights ``a <- b a + (1 - b) w`` are validated and exported, with
    ``b = min(averaging, n / (n + 10))`` after ``n`` steps.
    """

    def __init__(
        self,
        trainer: str,
        network: nn.Module,
        paces: list[tuple[list[nn.Parameter], float]],
        config: TrainingConfig,
        folder: Path,
        device: str,
        meaning: Mapping[str, Any] | None = None,
        betas: tuple[float, float] = (0.9, 0.99),
    ) -> None:
        self.trainer, self.config, self.folder, self.device = trainer, config, folder, device
        self.meaning = meaning
        self.network = network.to(device).train().requires_grad_(True)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            [{"params": parameters, "peak": config.rate * pace} for parameters, pace in paces],
            lr=config.rate,
            weight_decay=config.decay,
            betas=betas,
            fused=device != "cpu",
        )
        self.step, self.seconds, self.scores = 0, 0.0, dict[str, float]()
        half = config.half and (device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported())
        self.precision = torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=half)

    @property
    def done(self) -> float:
        """Return the finished fraction of the training, in [0, 1]."""
        steps = self.config.steps
        return min(self.step / steps if steps is not None else self.seconds / (3600 * self.config.hours), 1.0)

    def run(self, loss: Loss, validate: Validate) -> Iterator[Progress]:
        """Continue from the checkpoint, if there is one, and train to the end.

        Parameters
        ----------
        loss, validate : callable
            See `BaseTrainer.loss` and `BaseTrainer.validate`.

        Yields
        ------
        Progress
            One for each step; a single one with a note if the training had reached its end before. Closing
            the iterator writes a checkpoint.
        """
        if (self.folder / CHECKPOINT).is_file():
            self.resume()
        if self.done >= 1:
            length = "hours" if self.config.steps is None else "steps"
            note = (
                f"This training finished before at step {self.step}, nothing was trained: raise the {length} "
                "to go on."
            )
            yield Progress(self.step, self.seconds, note=note)
            return
        compiled = torch.compile(self.network) if self.config.compiled else self.network
        look, look_average = self._look(compiled), self._look(self.average)
        total, n_losses, mean, saved = torch.zeros((), device=self.device), 0, math.nan, time.monotonic()
        try:
            while self.done < 1:
                started = time.monotonic()
                total += self._advance(loss(look, self.step))
                n_losses += 1
                if self.step % LOOK_EVERY == 0 or n_losses == 1:
                    mean = float(total) / n_losses
                self.seconds += time.monotonic() - started
                progress = Progress(self.step, self.seconds, self.seconds * (1 / self.done - 1), mean)
                if self.step % self.config.validate_every == 0 or self.done >= 1:
                    mean = float(total) / n_losses
                    with torch.no_grad():
                        scores, picture = validate(look_average)
                    self.scores = scores
                    progress = replace(progress, loss=mean, scores=scores, picture=picture)
                    total, n_losses = torch.zeros_like(total), 0
                    self._record(progress)
                if time.monotonic() - saved > self.config.checkpoint_every:
                    self.save()
                    saved, progress = time.monotonic(), replace(progress, saved=True)
                yield progress
        finally:
            self.save()

    def save(self) -> None:
        """Write a checkpoint."""
        facts = {"training": self.trainer, "step": self.step, "seconds": self.seconds}
        facts |= {"scores": self.scores}
        facts |= {} if self.meaning is None else {"meaning": self.meaning}
        state = training_state(self.network, self.average, self.optimiser)
        save_tensors(self.folder / CHECKPOINT, state, facts)

    def resume(self) -> None:
        """Continue from the checkpoint, and remove later steps from the loss curve; see `check_continues`.

        Raises
        ------
        ValueError
            If the checkpoint is of a network of another size.
        """
        path = self.folder / CHECKPOINT
        state, facts = load_tensors(path)
        try:
            restore_training(state, self.network, self.average, self.optimiser)
        except RuntimeError as error:
            raise ValueError(
                f"Expected a checkpoint of the same network, got {path} of another one ({error}): choose "
                "another folder."
            ) from None
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.scores = facts.get("scores", {})  # earlier checkpoints have none
        curve = self.folder / LOSSES
        if curve.is_file():
            head, *rows = curve.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [row for row in rows if int(row.partition(",")[0]) <= self.step]
            curve.write_text("".join([head, *kept]), encoding="utf-8")

    def _advance(self, loss: Tensor) -> Tensor:
        """Make one step of the optimiser and update the average; return the loss without its graph."""
        warm_up = min(1.0, (self.step + 1) / WARM_UP)
        cosine = (1 + math.cos(math.pi * self.done)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * warm_up * (LAST_RATE + (1 - LAST_RATE) * cosine)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimiser.step()
        self.step += 1
        follow = 1 - min(self.config.averaging, self.step / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), follow)
        return loss.detach()

    def _look(self, network: Any) -> Look:
        """Return the network in the precision of the training, with float32 outputs."""

        def look(*seen: Tensor) -> Tensor:
            with self.precision:
                return network(*seen).float()

        return look

    def _record(self, progress: Progress) -> None:
        """Add a line to the loss curve, and write the picture of held-out examples."""
        row = {"step": progress.step, "seconds": round(progress.seconds, 1), "loss": progress.loss}
        row |= {f"held-out {name}": value for name, value in progress.scores.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / LOSSES
        begins = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if begins:
                writer.writeheader()
            writer.writerow(row)
        if progress.picture is not None:
            Image.fromarray(progress.picture).save(self.folder / PICTURE)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generator of torch, and restore its state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def generator(seed: int, number: int, device: str = "cpu") -> Generator:
    """Return a generator on a device that depends only on `seed` and `number`."""
    state = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)
    return Generator(device).manual_seed(int(state[0] >> 1))
