"""Choose the answer of a run: the running average, or the answer with the best remix."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.losses.reconstruction import l2_loss


class RunningAverage:
    """Exponential moving average of answers, corrected for the bias towards the first ones.

    ``m_t = m_{t-1} + (y_t - m_{t-1}) (1 - d) / (1 - d**t)``, which is ``sum_i d**(t-i) y_i / sum_i
    d**(t-i)``.

    Parameters
    ----------
    decay : float
        d in [0, 1); 0 keeps the last answer.

    Notes
    -----
    It is a weighted mean, so the average of answers in a convex set (shares that add up to the mixture and
    stay in their range) is in that set.
    """

    def __init__(self, decay: float = 0.99) -> None:
        self.decay, self.count = decay, 0
        self.value: Tensor | None = None

    @torch.no_grad()
    def update(self, answer: Tensor) -> None:
        """Add an answer to the average."""
        self.count += 1
        if self.value is None:
            self.value = answer.detach().clone()
        else:
            self.value.lerp_(answer.detach(), (1 - self.decay) / (1 - self.decay**self.count))


class BestRemix:
    """Keep the answer whose clipped remix is nearest to the observations, on the device.

    The released code chooses in this way (the highest PSNR of the sum against the mixture). It does not
    measure how well sources are separated.
    """

    def __init__(self) -> None:
        self.value: Tensor | None = None
        self._error: Tensor | None = None

    @torch.no_grad()
    def update(
        self, answer: Tensor, remix: Tensor, observations: Tensor, valid: Tensor | None = None
    ) -> None:
        """Keep `solution` (K, C, H, W) if its remix (M, C, H, W) is nearer to the observations than all
        earlier ones."""
        error = l2_loss(remix.clamp(0, 1), observations, valid)
        if self.value is None or self._error is None:
            self.value, self._error = answer.detach().clone(), error
        else:
            self.value = torch.where(error < self._error, answer.detach(), self.value)
            self._error = torch.minimum(error, self._error)
