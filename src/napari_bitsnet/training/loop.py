"""A training loop for small networks: AdamW with warm-up and cosine, clipped gradients, averaged weights."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

CLIP = 1.0
"""Largest norm of the gradients."""
LAST_RATE = 0.01
"""Learning rate at the end, over the largest one."""


@dataclass(frozen=True)
class Schedule:
    """Length and step sizes of a training.

    Parameters
    ----------
    minutes : float
        Length of the training, unless `steps` is given.
    steps : int, optional
        Length of the training in steps.
    rate : float
        Largest learning rate.
    decay : float
        Weight decay.
    averaging : float
        How slowly the averaged weights follow, in [0, 1).
    warm_up : int
        Steps until the largest learning rate.
    """

    minutes: float = 60.0
    steps: int | None = None
    rate: float = 2e-3
    decay: float = 0.01
    averaging: float = 0.998
    warm_up: int = 100


@dataclass(frozen=True)
class TrainingStep:
    """One step of training.

    Parameters
    ----------
    step : int
        Steps done.
    done : float
        Part of the training that is done, in (0, 1].
    loss : float
        Loss of this step.
    average : nn.Module
        Network with the averaged weights; the same object in every step.
    """

    step: int
    done: float
    loss: float
    average: nn.Module


def train_network(
    network: nn.Module, loss_of_batch: Callable[[], Tensor], schedule: Schedule
) -> Iterator[TrainingStep]:
    """Train a network and yield every step.

    Parameters
    ----------
    network : nn.Module
        Is changed.
    loss_of_batch : callable
        Draws a batch and returns its loss, shape (), with a gradient in the network's parameters.
    schedule : Schedule
        Length and step sizes.
    """
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.rate, weight_decay=schedule.decay, betas=(0.9, 0.99)
    )
    start, step, done = time.monotonic(), 0, 0.0
    while done < 1:
        loss = loss_of_batch()
        cosine = (1 + math.cos(math.pi * done)) / 2
        warm_up = min(1, (step + 1) / schedule.warm_up)
        optimiser.param_groups[0]["lr"] = schedule.rate * warm_up * (LAST_RATE + (1 - LAST_RATE) * cosine)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        follow = 1 - min(schedule.averaging, step / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), follow)
        step += 1
        done = (
            step / schedule.steps
            if schedule.steps is not None
            else min(1.0, (time.monotonic() - start) / (60 * schedule.minutes))
        )
        yield TrainingStep(step, done, float(loss.detach()), average)
