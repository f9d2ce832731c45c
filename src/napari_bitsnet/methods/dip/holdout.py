"""Weight two ways of filling missing pixels by known pixels that are hidden from both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.stages import Stages, named
from napari_bitsnet.methods.dip.starts import running_start

if TYPE_CHECKING:
    from torch import Tensor

MOST_HOLES = 0.25
"""Largest fraction of missing pixels for which their shapes are hidden elsewhere; above it single pixels are
hidden."""
AT_RANDOM = 0.2
"""Fraction of the known pixels that is hidden in that case."""


@dataclass(frozen=True)
class Trial:
    """Known pixels that were hidden, and their prediction by the closed form.

    Parameters
    ----------
    hidden : Tensor of shape (1, 1, H, W)
        bool.
    guessed : Tensor of shape (1, C, H, W)
        Image of the closed form if these pixels are missing as well.
    """

    hidden: Tensor
    guessed: Tensor

    def combine(self, first: Tensor, drawn: Tensor, observed: Tensor) -> Tensor:
        """Return ``x_0 + w (d - x_0)`` with w in [0, 1] fitted at the hidden pixels, where ``guessed`` stands
        for x_0.

        Parameters
        ----------
        first, drawn, observed : Tensor of shape (1, C, H, W)
            Image x_0 of the closed form from all known pixels, image d of the network, which was not fitted
            to the hidden pixels, and the observation.

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
    """Hide known pixels in the pattern of the missing ones, and run the closed form `start` without them;
    yield its stages."""
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
