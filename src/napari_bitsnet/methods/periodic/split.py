"""Split an image into slightly displaced periodic patterns on different lattices, and a residual."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.core.operators.conjugate_gradients import conjugate_gradients
from napari_bitsnet.core.operators.gradient import central_gradient
from napari_bitsnet.methods.periodic.repeating import Repeating

PLAIN, STEPS = 4, 4
"""Steps of plain conjugate gradients for the first cells, and of preconditioned ones for all."""
RIDGE = 0.02
"""Stiffness of displacements, relative to the mean of the pattern's squared gradients."""
FURTHEST = 1.5
"""Largest change of a displacement in a step, in pixels."""
BLUR = 0.7
"""Standard deviation of the blur before gradients are taken, in pixels."""
POOL = 4
"""Side, in pixels, of the squares that have one displacement each."""
SCALES = (1.0, 2.0, 4.0, 8.0)
"""Standard deviations, in pixels, of the blurs that split the residual into bands."""
NEAR = 4.0
"""Width of the neighbourhood in which energies are compared, in units of a scale."""


def fit_cells(patterns: Sequence[Repeating], image: Tensor, noise: float) -> None:
    """Fit the cells of all patterns together, in place.

    Parameters
    ----------
    patterns : sequence of K Repeating
        The fit starts from their cells and replaces them.
    image : Tensor of shape (C, H, W)
        Image without its mean.
    noise : float
        Variance per pixel of the part that does not repeat.

    Notes
    -----
    Minimises ``‖I - sum_k A_k P_k z_k‖² + noise sum_k ‖z_k‖²``: A_k samples pattern k, P_k is the root of its
    spectrum and ``P_k z_k`` its cell. The result is the maximum a posteriori estimate under Gaussian spectra,
    which also divide the waves that both lattices share. A few plain steps of conjugate gradients from zero
    settle the shared waves; steps preconditioned by ``(N_k P_k' P_k + noise)⁻¹`` settle the others.
    """
    eye = torch.eye(patterns[0].channels, device=image.device)
    roots = [p.root for p in patterns]
    weights = [
        torch.linalg.inv(p.pixels * r.mT @ r + noise * eye) for p, r in zip(patterns, roots, strict=True)
    ]

    def back(rest: Tensor) -> list[Tensor]:
        return [p.filter(p.root.mT, p.gather(rest)) for p in patterns]

    def forward(z: Sequence[Tensor]) -> Tensor:
        return torch.stack([p.sample(p.filter(p.root, one)) for p, one in zip(patterns, z, strict=True)]).sum(
            0
        )

    def together(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat([part.flatten() for part in parts])

    def apart(joined: Tensor) -> list[Tensor]:
        parts = joined.split([p.cell.numel() for p in patterns])
        return [part.view_as(p.cell) for part, p in zip(parts, patterns, strict=True)]

    def operator(z: Tensor) -> Tensor:
        return together(back(forward(apart(z)))) + noise * z

    def precondition(residual: Tensor) -> Tensor:
        parts = zip(patterns, weights, apart(residual), strict=True)
        return together([p.filter(weight, part) for p, weight, part in parts])

    target = together(back(image))
    if all(not bool(p.cell.any()) for p in patterns):
        z = conjugate_gradients(operator, target, torch.zeros_like(target), steps=PLAIN)
    else:
        z = together([p.filter(torch.linalg.inv(p.root), p.cell) for p in patterns])
    z = conjugate_gradients(operator, target - operator(z), z, steps=STEPS, precondition=precondition)
    for p, part in zip(patterns, apart(z), strict=True):
        p.cell = p.filter(p.root, part)


def displace(patterns: Sequence[Repeating], rest: Tensor, width: float, valid: Tensor | None = None) -> None:
    """Update the displacements of all patterns by one step that reduces the residual, in place.

    Parameters
    ----------
    patterns : sequence of K Repeating
        Patterns with fitted cells.
    rest : Tensor of shape (C, H, W)
        The image without its mean and without the patterns.
    width : float
        Standard deviation, in pixels, of the neighbourhood that moves together.
    valid : Tensor of shape (H, W), optional
        1 where pixels are known.

    Notes
    -----
    At each place it minimises ``sum w (rest - sum_k ∇f_k . d_k)²`` over the K displacements; w is a Gaussian
    window and the sum runs over pixels and channels.

    References
    ----------
    Lucas & Kanade, "An iterative image registration technique with an application to stereo vision", IJCAI
    1981.
    Departure: several images, superimposed, at once.
    """
    seen = torch.ones_like(rest[0]) if valid is None else valid
    columns = [g for p in patterns for g in central_gradient(blur(p.image, BLUR))]
    target = blur(rest, BLUR)

    def gathered(product: Tensor) -> Tensor:
        pooled = F.avg_pool2d((product.sum(dim=0) * seen)[None, None], POOL, ceil_mode=True)
        return blur(pooled[0], width / POOL)[0]

    normal = torch.stack([torch.stack([gathered(a * b) for a in columns], -1) for b in columns], -2)
    right = torch.stack([gathered(a * target) for a in columns], -1)
    stiff = torch.diagonal(normal, dim1=-2, dim2=-1).mean(dim=(0, 1)).reshape(-1, 2).sum(1)
    normal = normal + torch.diag(RIDGE * stiff.repeat_interleave(2) + 1e-12)
    change = torch.linalg.solve(normal, right).movedim(-1, 0)[None]
    change = F.interpolate(change, size=rest.shape[-2:], mode="bilinear", align_corners=False)[0]
    for k, p in enumerate(patterns):
        p.displace(change[2 * k : 2 * k + 2].clamp(-FURTHEST, FURTHEST))


def divide_rest(first: Tensor, second: Tensor, rest: Tensor) -> Tensor:
    """Return the first pattern's part (C, H, W) of the residual.

    Each scale of the residual is divided at each place in proportion to the patterns' local energy, because
    displaced or worn detail leaves a residual where the pattern has detail. The coarsest scale is divided
    evenly.
    """
    part = torch.zeros_like(rest)
    for scale in SCALES:
        lower = [blur(image, scale) for image in (first, second, rest)]
        one, two, band = (image - low for image, low in zip((first, second, rest), lower, strict=True))
        energy = [blur((x**2).sum(dim=0, keepdim=True), NEAR * scale) for x in (one, two)]
        part = part + band * (energy[0] + 1e-9) / (energy[0] + energy[1] + 2e-9)
        first, second, rest = lower
    return part + rest / 2
