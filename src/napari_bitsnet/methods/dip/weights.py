"""Mixing weights that are fitted together with the sources, subject to the rule of the mixing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.mixing import Weighted
from napari_bitsnet.core.problem import Problem

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass
class FittedWeights:
    """``I_m = sum_k W_mk t_k`` with ``W = first + change``.

    Parameters
    ----------
    first : Tensor of shape (M, K)
        Known weights, those of the start, or random ones.
    change : Tensor of shape (M, K), optional
        Fitted change; None for known weights.
    rule : str
        Rule of `Weighted`: under ``"sum-to-one"`` the rows of the change add to 0.
    """

    first: Tensor
    change: Tensor | None
    rule: str

    @property
    def current(self) -> Tensor:
        """Return W (M, K); no weight is below 0, or below its start if that is negative."""
        import torch

        if self.change is None:
            return self.first
        change = self.change
        if self.rule == "sum-to-one":
            change = change - change.mean(dim=1, keepdim=True)
        return torch.maximum(self.first + change, self.first.clamp(max=0))

    def mix(self, sources: Tensor) -> Tensor:
        """Return the observations (M, C, H, W) of whole images (K, C, H, W)."""
        import torch

        return torch.einsum("mk,kchw->mchw", self.current, sources)


def first_weights(problem: Problem, answer: dict[str, Tensor], rng: torch.Generator) -> FittedWeights | None:
    """Return known weights, else those of the start, else random ones near 1 / K; None under other
    mixings."""
    import torch

    mixing = problem.mixing
    if not isinstance(mixing, Weighted):
        return None
    device, shape = problem.observations.device, (len(problem.observations), problem.n_sources)
    if mixing.weights is not None:
        return FittedWeights(mixing.weights.to(device), None, mixing.rule)
    if "weights" in answer:
        first = answer["weights"].to(device)
    else:
        first = (1 + torch.rand(shape, generator=rng)).to(device)
        first = first / first.sum(dim=1, keepdim=True)
    return FittedWeights(first, torch.zeros(shape, device=device, requires_grad=True), mixing.rule)
