"""A minimum cut on the grid of pixels with eight neighbours, by a primal-dual method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


def edge_costs(image: Tensor, smoothness: float) -> list[Tensor]:
    """Return the cost of a cut between each pixel and its neighbours, one map each of `NEIGHBOURS`.

    Parameters
    ----------
    image : Tensor of shape (C, H, W)
        On the [0, 1] scale.
    smoothness : float
        Cost of a cut between equal pixels at distance 1.

    Notes
    -----
    ``smoothness exp(−‖I_p − I_q‖² / (2 mean ‖I_p − I_q‖²)) / |p − q|``, with the mean over all pairs.
    """
    apart = []
    for step in NEIGHBOURS:
        here, there = _pair(image, *step)
        apart.append((here - there).square().sum(dim=0))
    mean = sum(float(one.sum()) for one in apart) / max(1, sum(one.numel() for one in apart))
    return [
        smoothness * (-one / (2 * mean + 1e-12)).exp() / (down**2 + right**2) ** 0.5
        for one, (down, right) in zip(apart, NEIGHBOURS, strict=True)
    ]


@dataclass(frozen=True)
class Cut:
    """The cut so far: a mask u (H, W) in [0, 1], and the flow over each link.

    `minimise` goes on from here, also with other costs.
    """

    mask: Tensor
    flows: Sequence[Tensor]

    @classmethod
    def begin(cls, links: Sequence[Tensor], mask: Tensor) -> Cut:
        """Begin with a mask (H, W), without flow."""
        return cls(mask, [torch.zeros_like(link) for link in links])

    def minimise(
        self, costs: Tensor, links: Sequence[Tensor], marked: tuple[Tensor, Tensor], *, steps: int
    ) -> Cut:
        """Approach the minimum of ``sum_p u_p cost_p + sum_pq link_pq |u_p − u_q|`` over u in {0, 1}.

        Parameters
        ----------
        costs : Tensor of shape (H, W)
            Cost of u = 1 less that of u = 0.
        links : sequence of Tensor
            Cost of a cut, as of `edge_costs`.
        marked : tuple of two Tensor of shape (H, W)
            bool, where u is 1 and where it is 0.
        steps : int
            Steps of the solver.

        Notes
        -----
        Relaxing u to [0, 1] does not change the minimum, which is reached at a threshold of u. Each pixel has
        the step ``1 / sum_q link_pq`` and each link half its cost (diagonal preconditioning).

        References
        ----------
        Pock & Chambolle, "Diagonal preconditioning for first order primal-dual algorithms in convex
        optimization", ICCV 2011, doi:10.1109/ICCV.2011.6126441.
        """
        degree = torch.zeros_like(costs)
        for step, link in zip(NEIGHBOURS, links, strict=True):
            for side in _pair(degree, *step):
                side += link
        pace = 1 / degree.clamp_min(1e-6)
        mask = ahead = self.mask
        flows = list(self.flows)
        for _ in range(steps):
            push = costs.clone()
            for k, (step, link) in enumerate(zip(NEIGHBOURS, links, strict=True)):
                here, there = _pair(ahead, *step)
                flow = flows[k] + 0.5 * link * (here - there)
                flows[k] = torch.maximum(torch.minimum(flow, link), -link)
                out_of, into = _pair(push, *step)
                out_of += flows[k]
                into -= flows[k]
            moved = (mask - pace * push).clamp(0, 1)
            moved = moved.masked_fill(marked[0], 1.0).masked_fill(marked[1], 0.0)
            ahead, mask = 2 * moved - mask, moved
        return Cut(mask, flows)


def _pair(image: Tensor, down: int, right: int) -> tuple[Tensor, Tensor]:
    """Return views of (..., H, W): all pixels with a neighbour at (`down`, `right`), and these neighbours."""
    height, width = image.shape[-2:]
    here = image[..., : height - down, max(0, -right) : width - max(0, right)]
    return here, image[..., down:, max(0, right) : width + min(0, right)]
