"""The discriminators of SILS, one a kind, and their losses: equation (7)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

WIDTHS = (32, 64, 128, 32)
SLOPE = 0.2


class Critic(nn.Module):
    """Tells how much an image looks like those of a folder, place by place.

    Parameters
    ----------
    channels : int
        Of the image.
    branches : int
        Branch i sees the image averaged down i - 1 times; one suffices for simple shapes, the paper takes
        three.
    """

    def __init__(self, channels: int, branches: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(self._branch(channels) for _ in range(branches))

    @staticmethod
    def _branch(channels: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for before, width in zip((channels, *WIDTHS[:-1]), WIDTHS, strict=True):
            layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        return nn.Sequential(*layers, nn.Conv2d(WIDTHS[-1], 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Return one number for each image (N, C, H, W): the mean over places and branches."""
        found = []
        for k, branch in enumerate(self.branches):
            found.append(branch(F.avg_pool2d(image, 2**k) if k else image).mean(dim=(1, 2, 3)).float())
        return torch.stack(found).mean(dim=0)


def adversarial_losses(critic: nn.Module, made: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of the network that made images, and the loss of the critic.

    Notes
    -----
    The non-saturating logistic losses ``softplus(-D(made))`` and ``softplus(D(made)) + softplus(-D(real))``.
    Each is a function of its own parameters alone, so that their sum can be minimised. Departure: both make a
    step at the same time instead of in turns.
    """
    frozen = {name: parameter.detach() for name, parameter in critic.named_parameters()}
    of_network = F.softplus(-functional_call(critic, frozen, (made,))).mean()
    of_critic = (F.softplus(critic(made.detach())) + F.softplus(-critic(real))).mean()
    return of_network, of_critic


def gradient_penalty(critic: nn.Module, real: Tensor) -> Tensor:
    """Return R1, half the mean squared norm of the critic's gradient at real images (Mescheder et al., ICML
    2018)."""
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2
