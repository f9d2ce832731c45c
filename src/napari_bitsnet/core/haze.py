"""Haze in closed form: the dark channel, the airlight, a smooth transmission, and the scene behind."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.guided_filter import apply_coefficients, linear_coefficients

WORKING_SIDE = 128
"""Longer side, in pixels, at which transmissions are solved for: they are smooth."""
LEAST = 0.1
"""Smallest transmission: behind denser haze there is nothing to see but amplified noise."""
EDGE = 0.05
"""Difference of brightness between neighbours at which transmission may bend more easily."""
BELOW = 0.03
"""Weight of pixels that lie below the envelope: bright things, whose dark channel says too much haze."""
GUIDED_SIDE = 1024
"""Longer side, in pixels, at which the guided filter is fitted."""
GUIDED_RADIUS, GUIDED_EPSILON = 0.08, 1e-3
"""Of the guided filter that brings back the edges: radius as part of the longer side, ridge."""


def least_around(image: Tensor, radius: int) -> Tensor:
    """Smallest value in a square window of side ``2 * radius + 1`` around each pixel of (N, C, H, W)."""
    side = 2 * radius + 1
    padded = F.pad(-image, (radius,) * 4, value=-torch.inf)
    return -F.max_pool2d(F.max_pool2d(padded, (side, 1), 1), (1, side), 1)


def dark_channel(image: Tensor, radius: int) -> Tensor:
    """Smallest value of all channels and pixels around: (1, C, H, W) -> (1, 1, H, W).

    References
    ----------
    He, Sun & Tang, "Single Image Haze Removal Using Dark Channel Prior", IEEE TPAMI 33(12), 2011,
    doi:10.1109/TPAMI.2010.168.
    """
    return least_around(image.amin(dim=1, keepdim=True), radius)


def estimate_airlight(image: Tensor, radius: int, *, part: float = 0.02) -> tuple[float, ...]:
    """Return the colour of the brightest pixels among those with the brightest dark channel.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        On the [0, 1] scale.
    radius : int
        Of the dark channel's windows, in pixels.
    part : float
        Of all pixels, those of the brightest dark channel that are looked at.

    Returns
    -------
    tuple of C floats
        Mean of the brightest hundredth of them, at least one.

    References
    ----------
    He et al. (see `dark_channel`) look at a thousandth and take the brightest pixel. Where even the densest
    haze lets something through, that one is often a dark thing's; more candidates find a bright one.
    """
    dark = dark_channel(image, radius).flatten()
    candidates = dark.topk(max(1, int(part * len(dark)))).indices
    colours = image[0].flatten(1)[:, candidates]
    brightest = colours.sum(dim=0).topk(max(1, len(candidates) // 100)).indices
    return tuple(colours[:, brightest].mean(dim=1).tolist())


def dark_channel_transmission(
    image: Tensor, airlight: tuple[float, ...], radius: int, *, part: float = 0.95
) -> Tensor:
    """The dark channel prior alone: ``t = 1 - part * dark(I / A)``, then guided by the image (He et al.).

    Returns
    -------
    Tensor of shape (1, 1, H, W)
        In [LEAST, 1].
    """
    colour = image.new_tensor(airlight).clamp(min=1e-3)[:, None, None]
    return guided(1 - part * dark_channel(image / colour, radius), image)


def smooth_transmission(
    image: Tensor,
    airlight: tuple[float, ...],
    *,
    radius: float,
    smoothness: float,
    part: float = 1.0,
    rounds: int = 8,
) -> Tensor:
    """Fit a smooth transmission as the upper envelope of what the dark channel says.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        On the [0, 1] scale.
    airlight : tuple of C floats
        A.
    radius : float
        Of the dark channel's windows, as part of the longer side.
    smoothness : float
        lambda >= 0.
    part : float
        Of the haze that is taken away.
    rounds : int
        Of reweighting.

    Returns
    -------
    Tensor of shape (1, 1, H, W)
        In [LEAST, 1].

    Notes
    -----
    No scene is darker than black: ``t >= b = 1 - min_c I_c / A_c``, with equality at black pixels. Bright
    things make b too small, dark ones around them do not. So with l = log t

    ``min_l sum_p w_p (l_p - log b_p)**2 + lambda sum_pq e_pq (l_p - l_q)**2``,

    w = 1 above the fit and .03 below it (asymmetric least squares, reweighted), e smaller across edges of the
    image. Solved at 128 pixels along the longer side, brought to full size by the guided filter. Where
    nothing is dark for a long way the fit, which follows the largest b within its reach only, ends below what
    the darkest pixel of a window allows; as t is not below either, the larger of both is taken.

    References
    ----------
    Meng et al., "Efficient Image Dehazing with Boundary Constraint and Contextual Regularization", ICCV 2013,
    doi:10.1109/ICCV.2013.82. Departures: a quadratic energy in log t with asymmetric weights in place of
    the bound's closing and absolute differences.
    """
    height, width = image.shape[-2:]
    factor = min(1.0, WORKING_SIDE / max(height, width))
    size = (max(2, round(height * factor)), max(2, round(width * factor)))
    small = F.interpolate(image, size, mode="bilinear", antialias=True)
    colour = image.new_tensor(airlight).clamp(min=1e-3)[:, None, None]
    bound = 1 - dark_channel(small / colour, max(1, round(radius * max(size))))
    log_bound = bound.clamp(LEAST / 2, 1).log()[0, 0].double().cpu().numpy()
    grey = small[0].mean(dim=0).double().cpu().numpy()
    fitted = torch.from_numpy(np.exp(_envelope(log_bound, grey, smoothness, rounds))).to(image)
    wide = F.interpolate(fitted[None, None], (height, width), mode="bilinear")
    envelope = guided(1 - part * (1 - wide), image)
    windows = dark_channel_transmission(
        image, airlight, max(1, round(radius * max(height, width))), part=part
    )
    return torch.maximum(envelope, windows)


def guided(transmission: Tensor, image: Tensor) -> Tensor:
    """Bring a transmission (1, 1, H, W) to the edges of the image (1, C, H, W), in [LEAST, 1].

    References
    ----------
    He & Sun, "Fast Guided Filter", 2015, arXiv:1505.00996: fitted at reduced size.
    """
    height, width = image.shape[-2:]
    factor = min(1.0, GUIDED_SIDE / max(height, width))
    size = (max(2, round(height * factor)), max(2, round(width * factor)))
    small, coarse = (F.interpolate(i, size, mode="bilinear", antialias=True) for i in (image, transmission))
    radius = max(1, round(GUIDED_RADIUS * max(size)))
    fit = linear_coefficients(small, coarse, radius=radius, epsilon=GUIDED_EPSILON)
    a, b = (F.interpolate(part, (height, width), mode="bilinear") for part in fit)
    return apply_coefficients(a, b, image).clamp(LEAST, 1)


def clear_scene(image: Tensor, transmission: Tensor, airlight: tuple[float, ...]) -> Tensor:
    """Invert ``I = t J + (1 - t) A``: ``J = (I - (1 - t) A) / t``; not clipped."""
    colour = image.new_tensor(airlight)[:, None, None]
    return (image - (1 - transmission) * colour) / transmission


def _envelope(values: NDArray, grey: NDArray, smoothness: float, rounds: int) -> NDArray:
    """Asymmetric smooth fit to values (H, W), bending at edges of a grey image."""
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import spsolve

    index = np.arange(values.size).reshape(values.shape)
    pairs = [(index[:-1], index[1:]), (index[:, :-1], index[:, 1:])]
    first, second = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
    brightness = grey.ravel()
    ties = smoothness / (1 + np.abs(brightness[first] - brightness[second]) / EDGE) ** 2
    across = coo_matrix((ties, (first, second)), shape=(values.size, values.size))
    laplacian = diags(np.asarray((across + across.T).sum(axis=1)).ravel()) - across - across.T
    target = values.ravel()
    fit = np.full_like(target, target.mean())
    for _ in range(rounds):
        weights = np.where(target > fit, 1.0, BELOW)
        fit = spsolve((diags(weights) + laplacian).tocsc(), weights * target)
    return fit.reshape(values.shape)
