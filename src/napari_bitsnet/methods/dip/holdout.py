"""How far to trust two ways of filling missing pixels: known pixels are hidden from both, and tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.stages import Stages, named
from napari_bitsnet.methods.dip.starts import running_start

if TYPE_CHECKING:
    from torch import Tensor

MOST_HOLES = 0.25
"""Part of the pixels up to which the missing ones' shapes are hidden elsewhere; else single pixels at random."""
AT_RANDOM = 0.2
"""Part of the known pixels that is hidden then."""


@dataclass(frozen=True)
class Trial:
    """Known pixels that were hidden, and what the closed form made of them.

    Parameters
    ----------
    hidden : Tensor of shape (1, 1, H, W)
        bool.
    guessed : Tensor of shape (1, C, H, W)
        The closed form's image where they count as missing as well.
    """

    hidden: Tensor
    guessed: Tensor

    def combine(self, first: Tensor, drawn: Tensor, observed: Tensor) -> Tensor:
        """Return ``x_0 + w (d - x_0)`` with w in [0, 1] fitted at the hidden pixels, ``guessed`` for x_0 there.

        Parameters
        ----------
        first, drawn, observed : Tensor of shape (1, C, H, W)
            The closed form's image x_0 from all known pixels, the network's image d, which was not fitted to the hidden
            ones, and the observation.

        References
        ----------
        Bates & Granger, "The Combination of Forecasts", Operational Research Quarterly 20(4), 1969,
        doi:10.1057/jors.1969.103.
        """
        difference = (drawn - self.guessed) * self.hidden
        covariance = (difference * (observed - self.guessed)).sum()
        weight = (covariance / difference.square().sum().clamp(min=1e-12)).clamp(0, 1)
        return first + weight * (drawn - first)


def hiding_pixels(problem: Problem, start: str, *, device: str, seed: int) -> Stages[Trial]:
    """Hide known pixels the way others are missing, and run the closed form called `start` without them; tell its stages."""
    import torch

    valid = problem.valid
    assert valid is not None  # nothing is missing: see the caller
    rng = torch.Generator().manual_seed(seed)
    if float((~valid).float().mean()) <= MOST_HOLES:
        shift = [int(torch.randint(n // 4, 3 * n // 4 + 1, (), generator=rng)) for n in valid.shape[-2:]]
        hidden = valid & ~valid.roll(shift, dims=(-2, -1))
    else:
        hidden = valid & (torch.rand(valid.shape, generator=rng).to(valid.device) < AT_RANDOM)
    if not bool((valid & ~hidden).any()):
        hidden = torch.zeros_like(hidden)
    without = replace(problem, valid=valid & ~hidden)
    guessed = yield from named("trial", running_start(start, without, device=device, seed=seed))
    return Trial(hidden, guessed.answer["sources"].to(hidden.device))
