"""Stopping rule that depends only on the answers, without a truth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class RunningVariance:
    """Stop when the answers' variance over a window of steps has passed its lowest value (ES-WMV).

    A generator first approaches the image and then slowly fits its noise; in between, its answers vary least.

    Parameters
    ----------
    window : int
        Number W of answers in the variance.
    patience : int
        Number P of steps without a new lowest variance after which the run ends.
    every : int
        Steps between two stored answers; storing waits for the device.
    side : int
        Largest side in pixels of stored answers, which are averaged down to it.

    Notes
    -----
    ``VAR(t) = mean over entries of the variance of y over the last W answers``. Departures from the paper: W
    and P count steps, but only one answer in `every` is stored and compared, at a reduced size. The memory
    then does not grow with the image, and the curve lacks only the noise of single pixels.

    References
    ----------
    Wang et al., "Early Stopping for Deep Image Prior", TMLR 2023, arXiv:2112.06074.
    """

    def __init__(self, *, window: int = 100, patience: int = 1000, every: int = 5, side: int = 64) -> None:
        self.patience, self.every, self.side = patience, every, side
        self.capacity = max(2, window // every)
        self.lowest = float("inf")
        self._answers: list[Tensor] = []
        self._updates = self._waited = 0

    def update(self, sources: Tensor) -> bool:
        """See `StoppingRule`."""
        self._updates += 1
        if self._updates % self.every:
            return False
        height, width = sources.shape[-2:]
        size = (min(height, self.side), min(width, self.side))
        # detached and copied: the caller goes on to change its tensor
        small = F.adaptive_avg_pool2d(sources.detach(), size).clone()
        self._answers = [*self._answers[-(self.capacity - 1) :], small]
        if len(self._answers) < self.capacity:
            return False
        variance = float(torch.stack(self._answers).var(dim=0, correction=0).mean())
        if variance < self.lowest:
            self.lowest, self._waited = variance, 0
            return False
        self._waited += self.every
        return self._waited >= self.patience
