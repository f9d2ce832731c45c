"""Choices by held-out blocks: folds of an image's blocks, and the weight of each optional part of guided
separation.

The thresholds below were chosen on the pairs of `benchmarks.studies.guided_choices` that its table calls
tuned; those of what guides have in common, and `NETWORK_FROM`, on all of its pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SIDE = 4
"""Number of blocks along each side of the image."""
FOLDS = 4
"""Number of folds; the block in row r and column c belongs to fold ``(r + 2 c) mod FOLDS``."""
CONTEXT_SHARE = 0.6
"""Largest weight of the fit with context beside the fit on colours."""
UNITS_SHARE = 0.5
"""Largest weight of the fit of random units beside what was fitted before."""
NETWORK_SHARE = 0.5
"""Largest weight of the network's change."""
COMMON_FROM, COMMON_NEVER = 0.35, 0.48
"""Common part of what guides explain from which on context, networks and attribution count less, and not at
all."""
NETWORK_FROM = 0.1, 0.15
"""Explained energies from which on the network counts where all sources have guides, and does so in full:
below, it fits what belongs to no guide (0.2 dB lost on two pairs of MRI and CT, 0.09 and 0.11)."""
UNITS_ENERGY = 0.7
"""Explained energy from which on units count where all sources have guides, and networks may drift: units
cost 0.4 dB on a pair of retinas (0.69)."""
CORRECTION_SHARE = 0.75
"""Largest weight of the trained correction's answer where one source has no guide."""


def folds_of(size: tuple[int, int]) -> Tensor:
    """Return the fold of each pixel of an image of `size` (H, W), (H, W): folds consist of blocks, ``SIDE``
    by ``SIDE`` in all."""
    import torch

    def blocks(n: int) -> Tensor:
        edges = torch.tensor([round(n * i / SIDE) for i in range(1, SIDE)])
        return torch.bucketize(torch.arange(n), edges, right=True)

    rows, columns = blocks(size[0]), blocks(size[1])
    return (rows[:, None] + 2 * columns) % FOLDS


def checkerboard(size: tuple[int, int]) -> Tensor:
    """Return every second block of the image as a mask, (1, 1, H, W) bool."""
    import torch

    side = max(1, min(size) // SIDE)
    rows, columns = (torch.arange(n) // side for n in size)
    mask: Tensor = (rows[:, None] + columns[None]) % 2 == 0
    return mask[None, None]


def ramp(value: float, start: float, stop: float) -> float:
    """Return 0 at `start`, 1 at `stop`, linear between them and constant beyond."""
    return min(1.0, max(0.0, (value - start) / (stop - start)))


def context_weight(with_context: float, without: float) -> float:
    """Return the weight of the fit with context, from the energies that both explain in held-out blocks.

    Parameters
    ----------
    with_context, without : float
        Explained part of the gradients' energy, at most 1.

    Returns
    -------
    float
        0 to `CONTEXT_SHARE`. Context leaves 63 to 94 % of what colours leave where it helps, and 96 to 100 %
        on simulated panels, where it does not.
    """
    ratio = (1 - with_context) / max(1 - without, 1e-6)
    return CONTEXT_SHARE * ramp(ratio, 0.97, 0.92)


def common_part(explained: float, own: Sequence[float]) -> float:
    """Return the part of what guides explain that several of them explain, so that it could belong to any.

    Parameters
    ----------
    explained : float
        Part of the gradients' energy that all guides explain in held-out blocks.
    own : sequence of float
        Of each guide, what it adds to that of the others.

    Returns
    -------
    float
        At least 0; 0 where nothing is explained.
    """
    return max(0.0, 1 - sum(own) / explained) if explained > 0 else 0.0


def distinct_weight(common: float) -> float:
    """Return how far sources can be told apart where guides explain so large a `common_part`, 0 to 1.

    Where it is large, as where both guides show one head, richer functions move the common part from one
    source to the other. Of 82 pairs of real images three have more than 0.4 (0.48, and 0.58 twice): they lost
    0.6 to 2.5 dB by context, networks and attribution. The next two, 0.32 and 0.30, gained 1.6 and 1.3 dB.
    """
    return ramp(common, COMMON_NEVER, COMMON_FROM)


def balanced_weight(own: Sequence[float]) -> float:
    """Return how far all guides take part, from what each explains that no other does.

    It is 1 where the weakest adds a fifth of what the strongest adds and more, and 0 below 0.15: where one
    guide explains nearly all, its surroundings also explain what belongs to the other source (retinas 1 and
    2: 2.1 dB lost by context).
    """
    return ramp(min(own) / max(*own, 1e-6), 0.15, 0.2) if len(own) > 1 else 1.0


def surroundings_weight(context: float, energy: float) -> float:
    """Return how far random units count where all sources have guides, 0 to 1.

    Parameters
    ----------
    context : float
        Weight of the fit with context, which held-out blocks gave it.
    energy : float
        Part of the gradients' energy that colours explain in held-out blocks. Where it is small, units
        fit what belongs to no guide; they count in full from `UNITS_ENERGY` + 0.1.

    Notes
    -----
    Held-out errors of the units and of the networks themselves do not tell where these help if colours
    explain most: near-infrared pairs, which gain, have as large ones as simulated panels, which lose.
    """
    return context / CONTEXT_SHARE * ramp(energy, UNITS_ENERGY, UNITS_ENERGY + 0.1)


def network_weight(error: float) -> float:
    """Return the weight of the network's change, 0 to `NETWORK_SHARE`.

    Parameters
    ----------
    error : float
        The network's error in blocks that it was not trained on, relative to the error of the fit that it
        started from. That fit has seen those blocks, so that errors slightly above 1 still speak for the
        network.
    """
    return NETWORK_SHARE * ramp(error, 1.04, 1.02)


def correction_weight(energy: float, context: float, network: float) -> float:
    """Return the weight of the trained correction's answer where one source has no guide, 0 to
    `CORRECTION_SHARE`.

    Parameters
    ----------
    energy : float
        Explained part of the gradients' energy in held-out blocks.
    context, network : float
        Weights of the context and of the networks. The correction was trained on simulated paintings, where
        both are near zero: where they help, the image is of another kind.
    """
    weight = CORRECTION_SHARE * ramp(energy, 0.4, 0.55) * (1 - context / CONTEXT_SHARE)
    return weight * (1 - network / NETWORK_SHARE / 3)
