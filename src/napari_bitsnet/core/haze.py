"""Haze removal in closed form: dark channel, airlight, smooth transmission, and the clear scene."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_bitsnet.core.guided_filter import apply_coefficients, linear_coefficients
from napari_bitsnet.core.stages import Partial

WORKING_SIDE = 128
"""Longer side, in pixels, at which the smooth transmission is computed."""
LEAST = 0.1
"""Smallest transmission; denser haze would only show amplified noise."""
EDGE = 0.05
"""Brightness difference between neighbours, on the [0, 1] scale, at which the smoothness weight falls."""
BELOW = 0.03
"""Weight of pixels below the envelope: bright objects, whose dark channel overestimates the haze."""
GUIDED_SIDE = 1024
"""Longer side, in pixels, at which the guided filter is fitted."""
GUIDED_RADIUS, GUIDED_EPSILON = 0.08, 1e-3
"""Guided filter that restores the edges: radius as a fraction of the longer side, and ridge."""


def least_around(image: Tensor, radius: int) -> Tensor:
    """Return the minimum in a square window of side ``2 * radius + 1`` around each pixel of (N, C, H, W)."""
    padded = F.pad(image, (radius,) * 4, value=torch.inf)
    return _least_along(_least_along(padded, 2 * radius + 1, -2), 2 * radius + 1, -1)


def _least_along(image: Tensor, side: int, axis: int) -> Tensor:
    """Return the minimum of every `side` neighbours along an axis, in steps that double what is compared."""
    covered = 1
    while covered < side:
        step = min(covered, side - covered)
        length = image.shape[axis] - step
        image = torch.minimum(image.narrow(axis, 0, length), image.narrow(axis, step, length))
        covered += step
    return image


def dark_channel(image: Tensor, radius: int) -> Tensor:
    """Return the dark channel, the minimum over channels and a window: (1, C, H, W) -> (1, 1, H, W).

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
        Radius of the dark channel's windows, in pixels.
    part : float
        Fraction of all pixels, those with the brightest dark channel, that are candidates.

    Returns
    -------
    tuple of C floats
        Mean of the brightest hundredth of the candidates, at least one pixel.

    References
    ----------
    He et al. (see `dark_channel`) use a thousandth of the pixels and take the brightest one. If even the
    densest haze is partly transparent, this pixel is often a dark object; more candidates include a bright
    one.
    """
    dark = dark_channel(image, radius).flatten()
    candidates = dark.topk(max(1, int(part * len(dark)))).indices
    colours = image[0].flatten(1)[:, candidates]
    brightest = colours.sum(dim=0).topk(max(1, len(candidates) // 100)).indices
    return tuple(colours[:, brightest].mean(dim=1).tolist())


def dark_channel_transmission(
    image: Tensor, airlight: tuple[float, ...], radius: int, *, part: float = 0.95
) -> Tensor:
    """Return the transmission of He et al.: ``t = 1 - part * dark(I / A)``, refined by the guided filter.

    Returns
    -------
    Tensor of shape (1, 1, H, W)
        In [LEAST, 1].
    """
    colour = image.new_tensor(airlight).clamp(min=1e-3)[:, None, None]
    return guided(1 - part * dark_channel(image / colour, radius), image)


def smoothing_transmission(
    image: Tensor,
    airlight: tuple[float, ...],
    *,
    radius: float,
    smoothness: float,
    part: float = 1.0,
    rounds: int = 8,
) -> Generator[Partial, None, Tensor]:
    """Fit a smooth transmission as the upper envelope of the bound from the darkest colour channel.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        On the [0, 1] scale.
    airlight : tuple of C floats
        A.
    radius : float
        Radius of the dark channel's windows, as a fraction of the longer side.
    smoothness : float
        lambda >= 0.
    part : float
        Fraction of the haze that is removed.
    rounds : int
        Number of reweightings.

    Yields
    ------
    Partial
        The envelope, before and after its edges are restored.

    Returns
    -------
    Tensor of shape (1, 1, H, W)
        In [LEAST, 1].

    Notes
    -----
    No scene is darker than black: ``t >= b = 1 - min_c I_c / A_c``, with equality at black pixels. Bright
    objects make b too small; dark pixels around them do not. With l = log t, the fit solves

    ``min_l sum_p w_p (l_p - log b_p)**2 + lambda sum_pq e_pq (l_p - l_q)**2``,

    with w = 1 above the fit and 0.03 below it (asymmetric least squares, reweighted), and smaller e across
    edges of the image. It is solved at 128 pixels along the longer side and upsampled by the guided filter.
    In large areas without dark pixels, the fit can fall below the bound of a window's darkest pixel. Both are
    lower bounds of t, so the larger one is taken.

    References
    ----------
    Meng et al., "Efficient Image Dehazing with Boundary Constraint and Contextual Regularization", ICCV 2013,
    doi:10.1109/ICCV.2013.82.
    Departures: a quadratic energy in log t with asymmetric weights in place of the bound's closing and
    absolute differences.
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
    yield Partial(0.25, lambda: 1 - part * (1 - wide))
    envelope = guided(1 - part * (1 - wide), image)
    yield Partial(0.5, lambda: envelope)
    windows = dark_channel_transmission(
        image, airlight, max(1, round(radius * max(height, width))), part=part
    )
    return torch.maximum(envelope, windows)


def guided(transmission: Tensor, image: Tensor) -> Tensor:
    """Align a transmission (1, 1, H, W) with the edges of the image (1, C, H, W), in [LEAST, 1].

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
    """Return the scene ``J = (I - (1 - t) A) / t``, without clipping."""
    colour = image.new_tensor(airlight)[:, None, None]
    return (image - (1 - transmission) * colour) / transmission


def _envelope(values: NDArray, grey: NDArray, smoothness: float, rounds: int) -> NDArray:
    """Fit values (H, W) by a smooth upper envelope that is less smooth at edges of a grey image."""
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
