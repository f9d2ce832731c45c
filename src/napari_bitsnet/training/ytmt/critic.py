"""The critic of the adversarial loss, and the loss itself: equation (6) of YTMT."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

GROUPS = 8
"""Channels of a group in the normalisation."""


class Critic(nn.Module):
    """Tells how real images look, as one number for each.

    Parameters
    ----------
    widths : sequence of int
        Channels of each level; every level has a convolution of 3 x 3 that keeps and one that halves height
        and width.

    Notes
    -----
    Departure from the paper, whose critic has ten convolutions of 64 to 512 channels: fewer of them, because
    all here is smaller.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 128)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in widths:
            for stride in (1, 2):
                layers += [
                    nn.Conv2d(before, width, 3, stride=stride, padding=1),
                    nn.GroupNorm(width // GROUPS, width),
                    nn.LeakyReLU(0.2),
                ]
                before = width
        self.features = nn.Sequential(*layers)
        self.last = nn.Sequential(nn.Linear(before, 4 * before), nn.LeakyReLU(0.2), nn.Linear(4 * before, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Return (N,) of images (N, 3, H, W)."""
        return self.last(self.features(image - 0.5).mean(dim=(2, 3)))[:, 0]


def adversarial_loss(critic: nn.Module, estimate: Tensor, truth: Tensor) -> Tensor:
    """Return the losses of the network and of the critic, added; each is a function of its own parameters
    alone.

    Notes
    -----
    With ``D(a, b) = s(C(a) - C(b))`` and s the logistic function, the critic minimises ``-log D(T, T') -
    log(1 - D(T', T))`` and the network the same with both exchanged. The paper prints the signs the other way
    round, with which the network would help the critic. Departure: both make a step at the same time instead
    of in turns.
    """
    frozen = {name: parameter.detach() for name, parameter in critic.named_parameters()}
    real = functional_call(critic, frozen, (truth,))
    of_network = 2 * F.softplus(real - functional_call(critic, frozen, (estimate,)))
    of_critic = 2 * F.softplus(critic(estimate.detach()) - critic(truth))
    total: Tensor = torch.cat([of_network, of_critic]).mean() * 2
    return total
