"""Classify pixels as foreground or background from scribbles by a random walk with a colour prior."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.core.operators.conjugate_gradients import conjugate_gradients
from napari_bitsnet.core.patches.groups import opponent

COLOUR, TEXTURE, PLACE = 0.06, 0.05, 0.15
"""Kernel widths for colour, texture, and place (as a fraction of the longer side)."""
ANYWHERE = 0.02
"""Weight of similar colours at any distance."""
NOTHING = 1e-3
"""Density below which a pixel counts as similar to no scribble."""
MARKS = 1500
"""Largest number of pixels of a scribble that are compared with the image."""
ROWS = 16384
"""Number of pixels that are compared at a time; it bounds the memory."""
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


def colour_evidence(image: Tensor, hints: Tensor) -> Tensor:
    """Return the probability of foreground of each pixel, from its colour, texture and place.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        On the [0, 1] scale; one or three channels.
    hints : Tensor of shape (2, 1, H, W)
        Positive where the foreground (first) and the background (second) are marked.

    Returns
    -------
    Tensor of shape (H, W)
        Probability in [0, 1]; 0.5 where no marked pixel is similar.

    Notes
    -----
    ``p_1 / (p_1 + p_2)`` with p_k the kernel density of the marked pixels' features. The kernel is
    ``(1 − g) k_colour k_place + g k_colour`` with Gaussian factors, so similar pixels nearby have most
    weight.
    """
    height, width = image.shape[-2:]
    colours = opponent(image) * (3**-0.5 if image.shape[1] == 3 else 1.0)
    deviation = (colours - blur(colours, 4.0)).square().sum(dim=1, keepdim=True)
    texture = blur(deviation, 3.0).clamp_min(0).sqrt()
    looks = torch.cat([blur(colours, 1.0) / COLOUR, texture / TEXTURE], dim=1)[0].flatten(1).T
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([y, x]).to(image).flatten(1).T / (PLACE * max(height, width))
    spread = 1 / (2 * torch.pi * PLACE**2)
    found = []
    for marks in hints[:, 0].flatten(1):
        at = marks.nonzero()[:, 0]
        at = at[:: len(at) // MARKS + 1]
        parts = []
        for start in range(0, height * width, ROWS):
            some = slice(start, start + ROWS)
            alike = torch.cdist(looks[some], looks[at]).square().div_(-2).exp_()
            near = torch.cdist(places[some], places[at]).square().div_(-2).exp_()
            parts.append((alike * ((1 - ANYWHERE) * spread * near + ANYWHERE)).mean(dim=1))
        found.append(torch.cat(parts))
    foreground, background = found
    return ((foreground + NOTHING) / (foreground + background + 2 * NOTHING)).reshape(height, width)


def random_walk(
    image: Tensor,
    hints: Tensor,
    evidence: Tensor,
    *,
    contrast: float = 300.0,
    pull: float = 0.003,
    steps: int = 600,
) -> Tensor:
    """Return the probability that a random walk from a pixel ends at the foreground's marks.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        On the [0, 1] scale.
    hints : Tensor of shape (2, 1, H, W)
        As in `colour_evidence`.
    evidence : Tensor of shape (H, W)
        Prior probability of the foreground.
    contrast : float
        Factor on squared colour differences in the exponent of a step's weight.
    pull : float
        Weight of the evidence relative to a step between equal pixels.
    steps : int
        Largest number of conjugate gradient steps.

    Returns
    -------
    Tensor of shape (H, W)
        Probability in [0, 1].

    Notes
    -----
    Solves ``min_u sum_pq w_pq (u_p − u_q)² + pull sum_p (u_p − e_p)²`` over eight neighbours, with
    ``w = exp(−contrast ‖I_p − I_q‖²) / |p − q|`` and u fixed at the marks, by conjugate gradients.

    References
    ----------
    Grady, "Multilabel random walker image segmentation using prior models", CVPR 2005,
    doi:10.1109/CVPR.2005.239.
    """
    colours = blur(image, 0.5)[0]
    links = []
    for down, right in NEIGHBOURS:
        here, there = _pair(colours, down, right)
        near = (here - there).square().mean(dim=0).mul(-contrast).exp() + 1e-5
        links.append(near / (down**2 + right**2) ** 0.5)
    marked = hints[:, 0] > 0
    free = ~marked.any(dim=0)
    held = torch.where(marked[0], 1.0, 0.0).to(evidence)

    def pulled(u: Tensor) -> Tensor:
        total = pull * u
        for (down, right), link in zip(NEIGHBOURS, links, strict=True):
            here, there = _pair(u, down, right)
            flow = link * (here - there)
            into, out_of = _pair(total, down, right)
            into += flow
            out_of -= flow
        return total

    degree = torch.full_like(evidence, pull)
    for (down, right), link in zip(NEIGHBOURS, links, strict=True):
        for side in _pair(degree, down, right):
            side += link
    start = torch.where(free, evidence, held)
    u = conjugate_gradients(
        lambda u: free * pulled(u),
        free * (pull * evidence - pulled(start)),
        start,
        steps=steps,
        tolerance=1e-5,
        precondition=lambda residual: residual / degree,
    )
    return u.clamp(0, 1)


def _pair(image: Tensor, down: int, right: int) -> tuple[Tensor, Tensor]:
    """Return views of (..., H, W): all pixels with a neighbour at (`down`, `right`), and these neighbours."""
    height, width = image.shape[-2:]
    here = image[..., : height - down, max(0, -right) : width - max(0, right)]
    return here, image[..., down:, max(0, right) : width + min(0, right)]


def automatic_hints(image: Tensor, *, certain: float = 0.06) -> Tensor:
    """Guess marks: pixels unlike the border's colours are foreground, the border itself is background.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        On the [0, 1] scale.
    certain : float
        Fraction of the pixels that is marked as foreground.

    Returns
    -------
    Tensor of shape (2, 1, H, W)
        1 where foreground (first) and background (second) are marked, else 0.

    Notes
    -----
    Pixels are ranked by the distance of their blurred colour to the nearest colour of the border, times a
    central Gaussian with a standard deviation of a third of the size.
    """
    height, width = image.shape[-2:]
    colours = blur(image, max(1.0, max(height, width) / 64))[0]
    frame = torch.zeros((height, width), dtype=torch.bool, device=image.device)
    margin = max(1, min(height, width) // 24)
    frame[:margin], frame[-margin:], frame[:, :margin], frame[:, -margin:] = True, True, True, True
    rim = colours[:, frame].T
    away = torch.cat(
        [torch.cdist(c, rim[:: len(rim) // 300 + 1]).amin(dim=1) for c in colours.flatten(1).T.split(ROWS)]
    )
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    middle = torch.exp(-(y**2 + x**2) / (2 * (2 / 3) ** 2)).to(image)
    stands_out = away.reshape(height, width) * middle + 1e-6 * middle
    stands_out = torch.where(frame, 0.0, stands_out)
    many = max(1, int(certain * height * width))
    foreground = stands_out >= stands_out.flatten().topk(many).values[-1]
    return torch.stack([foreground & ~frame, frame])[:, None].to(image)


def saliency_hints(salient: Tensor, *, above: float = 0.94, below: float = 0.06) -> Tensor:
    """Mark the most and the least salient pixels (1, C, H, W) by two quantiles; return marks (2, 1, H, W).

    Equal values get the same mark: a binary image, whose two quantiles may be equal, marks all its pixels.
    """
    grey = salient.mean(dim=1)[0]
    ranked = grey.flatten().sort().values
    high, low = (ranked[round(part * (len(ranked) - 1))] for part in (above, below))
    foreground, background = (grey >= high, grey <= low) if high > low else (grey > high, grey < low)
    if not bool(foreground.any()):
        foreground = grey >= high
    if not bool(background.any()):
        background = grey <= low
    return torch.stack([foreground, background])[:, None].to(grey)
