"""Propagate labels from a few marked edges to all edges of an image, by the similarity of edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.core.operators.gradient import central_gradient

FAMILIAR_SIZE = 96
"""Longer side, in pixels, of the images that the kernel was fitted on."""
LIKENESS = {  # feature: (kernel of colour and kind, kernel of place and surroundings)
    "colour": (3.7, 2.5),
    "place": (0.02, 20.0),
    "direction": (0.04, 0.5),
    "near": (0.34, 18.0),
    "wide": (0.18, 22.0),
    "strength": (0.14, 0.8),
    "sharpness": (0.12, 0.55),
    "texture": (0.1, 2.7),
    "straightness": (0.15, 2.4),
}
"""Inverse squared widths of the two kernels, for each feature of `edge_features`."""
SHARES = (0.39, 0.49)
"""Variances of the two kernels."""
DOUBT = 0.47
"""Noise variance of a label: marked pixels also carry some of the other sources' gradients."""
ROWS = 16384
"""Number of pixels compared with the marked ones at a time; it bounds the memory."""
OPPONENT = torch.tensor(
    [[3**-0.5, 3**-0.5, 3**-0.5], [2**-0.5, -(2**-0.5), 0.0], [6**-0.5, 6**-0.5, -2 * 6**-0.5]]
)
"""Orthonormal colour axes: grey, red against green, yellow against blue."""


def edge_features(image: Tensor) -> dict[str, Tensor]:
    """Compute the features of the edge at each pixel.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        On the [0, 1] scale; one or three channels.

    Returns
    -------
    dict of Tensor of shape (H * W, n)
        ``colour`` (products of the gradient's opponent colours, normalised: an axis without sign), ``place``
        (fractions of the longer side), ``direction`` (doubled angle, by straightness), ``near`` and ``wide``
        (mean colours over windows of about 1 and 5 % of the longer side), ``strength``, ``sharpness``,
        ``texture`` (logarithms) and ``straightness`` (0 to 1).
    """
    _, channels, height, width = image.shape
    colour = torch.einsum(
        "oc,chw->ohw", OPPONENT.to(image), image[0].expand(3 if channels == 1 else -1, -1, -1)
    )
    unit = max(height, width) / FAMILIAR_SIZE
    dy, dx = central_gradient(blur(colour, 0.5))
    strength = (dy**2 + dx**2).sum(dim=0).sqrt()
    tensor = torch.stack([(dx * dx).sum(dim=0), (dy * dy).sum(dim=0), (dx * dy).sum(dim=0)])
    xx, yy, xy = blur(tensor, 0.7)
    straight = ((xx - yy) ** 2 + 4 * xy**2).sqrt() / (xx + yy + 1e-5)
    angle = 0.5 * torch.atan2(2 * xy, xx - yy)
    across = angle.cos() * dx + angle.sin() * dy
    across = across / (across.norm(dim=0) + 0.004)
    coarse_dy, coarse_dx = central_gradient(blur(colour, 1.5))
    coarse = (coarse_dy**2 + coarse_dx**2).sum(dim=0).sqrt()
    around = blur(dy**2 + dx**2, 3 * unit).sum(dim=0).sqrt()
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    products = (across[:, None] * across).flatten(0, 1)  # nine products, the off-diagonal ones twice
    features = {
        "colour": products,
        "place": torch.stack([row, column]).to(image) / max(height, width),
        "direction": torch.stack([(2 * angle).cos(), (2 * angle).sin()]) * straight,
        "near": blur(colour, 1.2 * unit),
        "wide": blur(colour, 5 * unit),
        "strength": (strength + 0.01).log()[None],
        "sharpness": ((strength + 0.005) / (coarse + 0.005)).log()[None],
        "texture": (around + 0.01).log()[None],
        "straightness": straight[None],
    }
    return {name: values.flatten(1).T for name, values in features.items()}


def propagate(image: Tensor, hints: Tensor, *, size: int = FAMILIAR_SIZE, marks: int = 1600) -> Tensor:
    """Estimate the fraction of each gradient that belongs to each source.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        The mixture, on the [0, 1] scale.
    hints : Tensor of shape (K, 1, H, W)
        Weights in [0, 1], positive where edges are marked as source k's.
    size : int
        Longer side, in pixels, at which edges are compared; larger images are reduced to it.
    marks : int
        Largest number of marked pixels, at that size, used for the fit: those with the strongest edges.

    Returns
    -------
    Tensor of shape (K, 1, H, W)
        Fractions in [0, 1] that add to one; 1 / K without any mark.

    Notes
    -----
    Gaussian process regression (kriging) of ``1[k marked] − 1 / K`` with the kernel
    ``sum_j v_j exp(−sum_f λ_fj ‖f(x) − f(x')‖²)`` on edge features f. The first kernel compares colour and
    kind of edges anywhere in the image, the second compares place and surroundings. Their parameters were
    fitted once, on random pairs of photographs.

    References
    ----------
    Rasmussen & Williams, "Gaussian Processes for Machine Learning", MIT Press, 2006, section 2.2.
    """
    sources, (height, width) = len(hints), image.shape[-2:]
    factor = min(1.0, size / max(height, width))
    small = (max(2, round(height * factor)), max(2, round(width * factor)))
    features = edge_features(F.interpolate(image, size=small, mode="area"))
    weight = F.interpolate(hints, size=small, mode="area").flatten(1)  # (K, h * w)
    covered = weight.sum(dim=0)
    named = (covered > 0.2 * covered.max()).nonzero()[:, 0]
    if len(named) > marks:
        named = named[features["strength"][named, 0].argsort(descending=True, stable=True)[:marks]]
    target = (weight[:, named] / covered[named] - 1 / sources).T  # (n, K)
    known = {name: values[named] for name, values in features.items()}
    gram = _likeness(known, known).double()
    gram.diagonal().add_(DOUBT)
    coefficients = torch.linalg.solve(gram, target.double()).to(image)
    rows = (
        _likeness({name: values[at : at + ROWS] for name, values in features.items()}, known) @ coefficients
        for at in range(0, small[0] * small[1], ROWS)
    )
    part = torch.cat(list(rows)).T.reshape(sources, 1, *small) + 1 / sources
    part = part.clamp(0, 1)
    part = part / part.sum(dim=0, keepdim=True).clamp_min(1e-6)
    return F.interpolate(part, size=(height, width), mode="bilinear", align_corners=False)


def _likeness(features: dict[str, Tensor], others: dict[str, Tensor]) -> Tensor:
    """Return the kernel (N, n) between N pixels and n marked pixels."""
    kernels = []
    for j, variance in enumerate(SHARES):
        a, b = (
            torch.cat([values * LIKENESS[name][j] ** 0.5 for name, values in side.items()], dim=1)
            for side in (features, others)
        )
        squares = (a * a).sum(dim=1)[:, None] + (b * b).sum(dim=1) - 2 * a @ b.T
        kernels.append(variance * torch.exp(-squares.clamp_min(0)))
    return torch.stack(kernels).sum(dim=0)
