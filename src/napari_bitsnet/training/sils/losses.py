"""The losses of SILS on codes and cycles: equations (5), (6) and (8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_bitsnet.methods.sils.network import SILSNetwork


@dataclass(frozen=True)
class Separated:
    """A mixture, taken apart.

    Parameters
    ----------
    mixture : Tensor of shape (N, C, H, W)
    codes : list of Tensor of shape (N, D, h, w)
        Of the mixture, in the space of each kind.
    images : list of Tensor of shape (N, C, H, W)
        One a kind.
    """

    mixture: Tensor
    codes: list[Tensor]
    images: list[Tensor]


def separate(network: SILSNetwork, mixture: Tensor) -> Separated:
    """Return the codes and the images of mixtures (N, C, H, W)."""
    features = [encoder(mixture) for encoder in network.encoders]
    images = [network.decode(k, each, mixture).float() for k, each in enumerate(features)]
    return Separated(mixture, [each[-1].float() for each in features], images)


def nearness(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """Return ``psi(a, b) = s((|a - b| - alpha e^alpha) / alpha^2)``, shape (); equation (6), s the logistic
    function.

    Notes
    -----
    It is small for codes that are near each other and 1 for codes that are far apart. ``|a - b|`` is the sum
    over the channels over their number's square root, averaged over places: with the mean over the channels
    the term would hardly ever act (the paper does not say).
    """
    distance = (a - b).abs().sum(dim=1).mean() / a.shape[1] ** 0.5
    return torch.sigmoid((distance - alpha * math.exp(alpha)) / alpha**2)


def shared_information(
    found: Separated,
    codes: Sequence[Tensor],
    *,
    alpha: float,
    shared: float = 0.5,
    independent: float = 1.0,
) -> Tensor:
    """Return the loss on codes, equation (5), shape ().

    Parameters
    ----------
    found : Separated
        Of mixtures.
    codes : sequence of Tensor
        Of images of each kind, in the space of that kind; none belongs to a mixture.
    alpha : float
        See `nearness`.
    shared, independent : float
        Weights (lambda 1, 2 and 3): codes of mixtures and of images lie in one space; codes of different
        kinds lie far apart.
    """
    pairs = zip(codes, found.codes, strict=True)
    loss = shared * torch.stack([(image - mixture).abs().mean() for image, mixture in pairs]).sum()
    for j in range(len(codes)):
        for k in range(j):
            loss = loss + independent * (1 - nearness(found.codes[j], found.codes[k], alpha))
    return loss


def cycle_consistency(network: SILSNetwork, found: Separated) -> Tensor:
    """Return how far the images are from adding up, and from being found again in their sum: equation (8),
    shape ()."""
    total = torch.stack(found.images).sum(dim=0)
    loss = (total - found.mixture).abs().mean()
    for k, image in enumerate(found.images):
        again = network.decode(k, network.encoders[k](total), total).float()
        loss = loss + (again - image).abs().mean()
    return loss


def error_on_sums(network: SILSNetwork, layers: Sequence[Tensor]) -> Tensor:
    """Return how far the images of ``sum_k y_k`` are from images y_k (N, C, H, W) of each kind, shape ().

    Notes
    -----
    ``mean |G_k(E_k(sum_j y_j)) - y_k|``: where kinds superimpose by adding, images of each of them make
    mixtures whose answer is known. The paper does without.
    """
    answer = network(torch.stack(list(layers)).sum(dim=0)).float()
    return (answer - torch.stack(list(layers), dim=1)).abs().mean()
