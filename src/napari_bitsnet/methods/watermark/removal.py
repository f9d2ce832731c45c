"""Estimate the colour of a mark whose opacity is known, and remove it: the image below."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.operators.nearest import nearest_valid
from napari_bitsnet.core.patches.sparse_fill import smooth_fill
from napari_bitsnet.methods.watermark.edges import STEP
from napari_bitsnet.methods.watermark.outline import OPAQUE

DOUBTFUL, FAINT = 0.6, 0.25
"""Opacities above which a pixel on the outline, where the opacity is uncertain, counts as hidden: for
translucent and for opaque marks."""
UNSEEN = 0.05
"""Opacity on the outline of an opaque mark below which it counts as 0."""


def mark_colour(images: Tensor, opacity: Tensor) -> tuple[Tensor, float]:
    """Estimate the mark's colour and opacity from pixels inside and the nearest pixels outside.

    Parameters
    ----------
    images : Tensor of shape (M, C, H, W)
        Images with the mark.
    opacity : Tensor of shape (H, W)
        Current a. Pixels within 5 % of the largest value are inside, pixels with 0 are outside.

    Returns
    -------
    colour : Tensor of shape (C,)
        W, clipped to [0, 1].
    opacity : float
        Opacity a inside the mark.

    Notes
    -----
    The model is ``I_in = (1 − a) I_out + a W + noise``; without the mark, images vary equally inside and
    outside. The slope is the ratio of standard deviations (reduced major axis), because noise would bias the
    coefficient of a regression. Outliers get the weight ``1 / (1 + (r / s)²)``, with s the median residual.
    """
    inside = opacity > 0.95 * opacity.max()
    rows, columns = (
        torch.from_numpy(at).to(images.device)[inside] for at in nearest_valid((opacity > 0).cpu().numpy())
    )
    inner, outer = images[..., inside].double(), images[..., rows, columns].double()  # (M, C, n)
    weight = torch.ones_like(inner)
    for _ in range(20):
        total = weight.sum(dim=(0, 2), keepdim=True)
        mean_in, mean_out = ((weight * x).sum(dim=(0, 2), keepdim=True) / total for x in (inner, outer))
        spread = [(weight * (x - m) ** 2).sum() for x, m in ((inner, mean_in), (outer, mean_out))]
        slope = (spread[0] / spread[1].clamp_min(1e-12)).sqrt().clamp(1 - OPAQUE, 0.98)
        rest = (inner - mean_in) / slope - (outer - mean_out)
        weight = 1 / (1 + (rest / rest.abs().median().clamp_min(STEP)) ** 2)
        weight = weight.mean(dim=1, keepdim=True).expand_as(inner)
    colour = (mean_in - slope * mean_out) / (1 - slope)
    return colour.flatten().clamp(0, 1).to(images), 1 - float(slope)


def remove_mark(
    images: Tensor, opacity: Tensor, colour: Tensor, *, keep_outline: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Remove a mark: solve ``I = (1 − a) C + a W`` for C.

    Parameters
    ----------
    images : Tensor of shape (M, C, H, W)
        Images with the mark.
    opacity : Tensor of shape (H, W)
        a.
    colour : Tensor of shape (C,)
        W.
    keep_outline : bool
        False marks the soft outline as hidden, which suits images with lossy compression. The outline of an
        opaque mark on a single image always counts as hidden, because nothing else shows its extent.

    Returns
    -------
    clean : Tensor of shape (M, C, H, W)
        C, equal to `images` where a = 0.
    hidden : Tensor of shape (1, 1, H, W)
        bool, True where `clean` is meaningless: the mark is opaque, or nearly opaque on its soft outline.
    opacity : Tensor of shape (H, W)
        Refined a, where the mark is opaque.
    """
    opaque = bool(opacity.max() >= OPAQUE)
    if opaque:
        opacity = opaque_outline(images, opacity, colour)
        keep_outline = keep_outline and len(images) > 1
    below = (images - opacity * colour[:, None, None]) / (1 - opacity).clamp_min(1 - OPAQUE)
    clean = torch.where(opacity > 0, below.clamp(0, 1), images)
    doubtful = (FAINT if opaque else DOUBTFUL) if keep_outline else 0.0
    hidden = (opacity > doubtful) & ((opacity < 0.98 * opacity.max()) | (opacity >= OPAQUE))
    return clean, hidden[None, None], opacity


def opaque_outline(images: Tensor, opacity: Tensor, colour: Tensor) -> Tensor:
    """Estimate the opacity (H, W) along the outline of an opaque mark, where logarithms are unreliable.

    ``a = <I − C, W − C> / ‖W − C‖²`` over images and channels; C is the surface of least curvature through
    the surrounding pixels.
    """
    around = smooth_fill(images, (opacity > 0)[None, None], tolerance=1e-2)
    ahead, found = colour[:, None, None] - around, images - around
    part = (found * ahead).sum(dim=(0, 1)) / (ahead * ahead).sum(dim=(0, 1)).clamp_min(0.02)
    same = (images - colour[:, None, None]).abs().amax(dim=(0, 1)) <= 2.5 * STEP
    part = torch.where(same, 1.0, part.clamp(0, 1)) * (opacity > 0)
    return torch.where(part > UNSEEN, part, 0.0)
