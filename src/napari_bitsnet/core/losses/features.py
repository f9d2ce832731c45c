"""Deep feature separation (BITS-Net eq. 4): penalise edges that the generators' feature maps share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from napari_bitsnet.core.losses.exclusion import exclusion_loss, fitting_scales


def feature_exclusion_loss(
    features: Sequence[Sequence[Tensor]],
    *,
    kappa: Sequence[int] = (0,),
    n_scales: int = 3,
    squash: bool = False,
    channels: Sequence[Sequence[Tensor]] = (),
) -> Tensor:
    """Sum the exclusion loss of feature maps over the layers in κ, averaged over pairs of sources.

    ``Loss_Feat = sum_{k in kappa} Loss_Excl(phi_1k, phi_2k)``

    Parameters
    ----------
    features : sequence of K sequences of Tensor (N, C_s, H_s, W_s)
        The feature maps of each source's generator, as `SkipNetwork` returns them.
    kappa : sequence of int
        Layers κ, 0 = second-to-last feature map of the network.
    n_scales : int
        See `exclusion_loss`; fewer scales are used if a map is too small.
    squash : bool
        True passes the maps through a sigmoid first, as the released code does.
    channels : sequence of sequences of Tensor, int64
        Compare only these channels, for each layer in `kappa` and each source; see `draw_channels`. Empty
        compares all.

    Returns
    -------
    Tensor of shape ()
        Dimensionless, >= 0.

    Raises
    ------
    ValueError
        If a layer in `kappa` does not exist.

    References
    ----------
    Zhou, Lyu & Rodrigues, "BITS-Net: Blind Image Transparency Separation Network", ICIP 2023.
    """
    n_layers = len(features[0])
    unknown = [k for k in kappa if not 0 <= k < n_layers]
    if unknown:
        raise ValueError(f"Expected layers from 0 to {n_layers - 1} in kappa, got {unknown}.")
    layers = []
    for index, layer in enumerate(kappa):
        maps = [source[layer] for source in features]
        if channels:
            maps = [m.index_select(1, c) for m, c in zip(maps, channels[index], strict=True)]
        if squash:
            maps = [torch.sigmoid(m) for m in maps]
        fitting = fitting_scales(maps[0].shape[-2], maps[0].shape[-1], n_scales)
        pairs = [exclusion_loss(a, b, n_scales=fitting) for a, b in combinations(maps, 2)]
        layers.append(torch.stack(pairs).mean())
    return torch.stack(layers).sum()


def draw_channels(
    widths: Sequence[int], n_sources: int, count: int, rng: torch.Generator
) -> list[list[Tensor]]:
    """Draw the channels to compare for each layer and each source.

    The released code draws 3 of 8 channels in each step.

    Parameters
    ----------
    widths : sequence of int
        Channels of each layer.
    n_sources : int
        K.
    count : int
        Number of channels to draw; at most all are drawn.
    rng : torch.Generator
        Generator that draws them, on its device.

    Returns
    -------
    list of lists of Tensor of shape (min(count, width),), int64
        Without repetition.
    """
    return [
        [torch.randperm(width, generator=rng, device=rng.device)[:count] for _ in range(n_sources)]
        for width in widths
    ]
