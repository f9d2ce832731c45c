"""Denoising by groups of similar patches, each group taken as draws from one Gaussian (NL-Bayes)."""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import partial

import torch
from torch import Tensor

from napari_bitsnet.core.patches.groups import (
    LOOK_EVERY,
    opponent,
    patches_of,
    put_together,
    reference_rows,
    similar_patches,
)
from napari_bitsnet.core.stages import Partial

CHUNK = 512
"""Groups whose covariances are worked on together."""
MARGIN = 1.25
"""Times sigma below which a component of a group counts as noise: the spread of sample variances."""
TEXTURE_FREE = 0.1
"""Part of an image's patches, the flattest ones, that its noise is estimated from."""

CLIPPED = 1e-3
"""Part of the values that equal the smallest or largest one, above which that end counts as clipped."""
SAMPLE, SQUARES = 256, 16
"""Side and number of the squares that a large image's noise is estimated from."""
CLEAR_OF_CLIPPING = 2.5
"""Times sigma that a patch's brightness is away from a clipped end to count."""
STRUCTURE = 100.0
"""The same ratio, above which even the flattest patches of all hold structure."""
HIDDEN = 2.2
"""Ratio of two estimates of sigma that clipping explains: half-clipped white noise keeps 0.58 of its standard
deviation."""
WHITE = 2.0
"""Ratio of the median eigenvalue to the one expected from the smallest, up to which patches hold noise rather
than structure."""
EQUAL = 0.5
"""Part of the pixels that equal a neighbour, above which an image is a drawing without noise."""
BARELY = 1e-6
"""Weight of what was before in an image of which a part of the groups has been worked on."""
ROUNDING = 5e-7
"""Error of a covariance's eigenvalues in float32, relative to its trace."""


@torch.no_grad()
def denoising_patches(
    noisy: Tensor,
    sigma: float,
    basic: Tensor | None = None,
    *,
    side: int = 5,
    reach: int = 10,
    count: int = 60,
    stride: int = 3,
) -> Generator[Partial, None, Tensor]:
    """One round of NL-Bayes, which yields what is done on the way.

    Parameters
    ----------
    noisy : Tensor of shape (1, C, H, W)
        Observation on the [0, 1] scale; colours are denoised jointly.
    sigma : float
        Standard deviation of its noise on that scale, > 0.
    basic : Tensor of the same shape, optional
        An earlier round's answer, from which groups and their statistics are taken; None in the first round.
    side, reach, count, stride : int
        Pixels a side of a patch; furthest shift in pixels; patches a group; pixels between reference patches.

    Returns
    -------
    Tensor of shape (1, C, H, W)

    Notes
    -----
    A group of patches y = x + n has mean m and covariance S. Each patch becomes

    ``x = m + C (C + sigma**2 I)^-1 (y - m)``.

    In the first round C is S with sigma**2 taken off its eigenvalues, colour component by colour component;
    those below ``(1.25 sigma)**2`` count as noise. Later C is the covariance of the same group in `basic`,
    all colours together. Cost: about 1 s a round at 256 x 256 on one core.

    References
    ----------
    Lebrun, Buades & Morel, "A Nonlocal Bayesian Image Denoising Algorithm", SIAM J. Imaging Sciences 6(3),
    2013, doi:10.1137/120874989.
    Departures: a margin on the eigenvalues of the first round in place of its special case for flat groups,
    any number of rounds, groups of fixed size.
    """
    _, channels, height, width = noisy.shape
    side = min(side, height, width)
    image = opponent(noisy)
    guide = image[:, :1] if basic is None else opponent(basic)
    rows, columns = reference_rows((height, width), side, stride)
    patches = patches_of(image, side)
    known = patches if basic is None else patches_of(guide, side)
    total, seen = torch.zeros_like(patches), patches.new_zeros(len(patches))
    before = opponent(noisy if basic is None else basic)

    def so_far() -> Tensor:
        started = patches_of(before, side) * BARELY
        return opponent(put_together(total + started, seen + BARELY, (height, width), side), inverse=True)

    chunks = 0
    yield Partial(0.0, partial(torch.clone, noisy if basic is None else basic))
    for _, groups in similar_patches(guide, rows, columns, side=side, reach=reach, count=count):
        for group in groups.split(CHUNK):
            chunks += 1
            if chunks % LOOK_EVERY == 0:
                yield Partial(chunks * CHUNK / (len(rows) * len(columns)), so_far)
            values = patches[group]  # (R, K, D)
            if basic is None:
                parts = [_shrunk(part, sigma) for part in values.split(side**2, dim=-1)]
                estimate = torch.cat(parts, dim=-1)
            else:
                estimate = _wiener(values, known[group], sigma)
            total.index_add_(0, group.reshape(-1), estimate.reshape(-1, channels * side**2))
            seen.index_add_(0, group.reshape(-1), torch.ones_like(group, dtype=seen.dtype).reshape(-1))
    return opponent(put_together(total, seen, (height, width), side), inverse=True)


def estimate_sigma(image: Tensor, *, side: int = 5) -> float:
    """Estimate the standard deviation of white noise from an image's flattest patches.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        On any scale; the noise is taken to be the same in all channels.
    side : int
        Of the patches in pixels.

    Returns
    -------
    float
        On the image's scale, >= 0.

    Notes
    -----
    The tenth of all patches with the weakest gradients are chosen by a blurred copy's gradients, which hardly
    see their noise. The estimate is the root of the median eigenvalue of their covariance, which structure in
    a few directions does not move. Patches near a clipped end, and those of a frame of one value, hide noise:
    they are left out if there are enough others. What is left may be edges of a drawing without noise: such
    structure shows in a spectrum that is not white, and the smallest eigenvalue is taken. An image most of
    whose pixels equal their neighbours has no noise.

    References
    ----------
    Pyatykh, Hesser & Zheng, "Image Noise Level Estimation by Principal Component Analysis", IEEE TIP 22(2),
    2013, doi:10.1109/TIP.2012.2221728.
    Departures: patches chosen by blurred gradients, the median eigenvalue.
    """
    from napari_bitsnet.core.guided_filter import box_mean

    image = _sampled(image)
    side = min(side, *image.shape[-2:])
    grey = box_mean(opponent(image)[:, :1], 2)
    slope = torch.zeros_like(grey)
    slope[..., :-1, :] += grey.diff(dim=-2).square()
    slope[..., :-1] += grey.diff(dim=-1).square()
    flat = patches_of(slope, side).sum(dim=1)
    smooth = box_mean(image, side // 2)
    lowest, highest = image.amin(), image.amax()
    at_low, at_high = ((image == end).double().mean() > CLIPPED for end in (lowest, highest))
    enough = max(2 * side**2, int(TEXTURE_FREE * len(flat)))
    sigma = 0.0
    channels = [patches_of(channel, side) for channel in image.split(1, dim=1)]
    framed = [_in_frame(patches) for patches in channels]
    hidden = [float(p[f][0, 0]) for p, f in zip(channels, framed, strict=True) if bool(f.any())]
    if _is_drawn(image, [float(lowest), float(highest), *hidden]):
        return 0.0
    overall = [_least_spread(patches[flat.argsort()[:enough]]) for patches in channels]
    for _ in range(3):
        # of channels with enough patches clear of clipping, and of those without
        levels: dict[bool, list[float]] = {True: [], False: []}
        for k, (patches, level) in enumerate(zip(channels, smooth.split(1, dim=1), strict=True)):
            near = torch.zeros_like(level, dtype=torch.bool)
            if at_low:
                near |= level <= lowest + CLEAR_OF_CLIPPING * sigma
            if at_high:
                near |= level >= highest - CLEAR_OF_CLIPPING * sigma
            whole = (patches_of(near.to(image), side).sum(dim=1) == 0) & ~framed[k]
            if int(whole.sum()) < enough:
                levels[False].append(overall[k])
                continue
            usable = flat.masked_fill(~whole, torch.inf)
            levels[True].append(
                _least_spread(patches[usable.argsort()[:enough]], doubted_above=HIDDEN * overall[k])
            )
        trusted = levels[True] or levels[False]
        sigma = sum(trusted) / len(trusted)
    return sigma


def _sampled(image: Tensor) -> Tensor:
    """Of a large image evenly spread squares, side by side: their seams are no flat patches."""
    height, width = image.shape[-2:]
    if height * width <= (SAMPLE * SQUARES) * SAMPLE or min(height, width) < SAMPLE:
        return image
    per_side = math.isqrt(SQUARES)
    starts = [[round(k * (n - SAMPLE) / (per_side - 1)) for k in range(per_side)] for n in (height, width)]
    squares = [image[..., y : y + SAMPLE, x : x + SAMPLE] for y in starts[0] for x in starts[1]]
    return torch.cat(squares, dim=-1)


def _in_frame(patches: Tensor) -> Tensor:
    """Patches (N, D) that hold one value throughout, if all such hold the same: padding; areas of several
    values are a drawing."""
    constant = patches.amax(dim=1) == patches.amin(dim=1)
    values = patches[constant, 0]
    return constant if len(values) and bool((values == values[0]).all()) else torch.zeros_like(constant)


def _is_drawn(image: Tensor, ends: list[float]) -> bool:
    """Whether most pixels equal their neighbour along an axis, but for values at which noise may be cut off:
    noise differs."""
    between = torch.ones_like(image, dtype=torch.bool)
    for end in ends:
        between &= image != end
    if not bool(between.any()):
        return True
    for axis in (-2, -1):
        inner = between.narrow(axis, 1, between.shape[axis] - 1)
        same = image.diff(dim=axis) == 0
        if bool(inner.any()) and float(same[inner].double().mean()) > EQUAL:
            return True
    return False


def _least_spread(patches: Tensor, doubted_above: float = math.inf) -> float:
    """Root of the median eigenvalue of the covariance of patches (N, D), or of the smallest where that is
    structure.

    A median above ``doubted_above`` squared has to come with a spectrum that is white.
    """
    count, pixels = patches.shape
    values = patches.double()
    values = values - values.mean(dim=1, keepdim=True)
    eigenvalues = torch.linalg.eigvalsh(values.T @ values / count).clamp(min=0)
    median = float(eigenvalues[pixels // 2])
    ratio = pixels / count
    if ratio >= 1 or pixels < 2:
        return math.sqrt(median)
    # the first eigenvalue is the mean's, which is 0; white noise has its smallest at the edge of Marchenko
    # and Pastur's law
    smallest = float(eigenvalues[1]) / (1 - math.sqrt(ratio)) ** 2
    most = WHITE if median > doubted_above**2 else STRUCTURE
    return math.sqrt(median if median <= most * smallest else smallest)


def _shrunk(values: Tensor, sigma: float) -> Tensor:
    """Groups (R, K, D) with their own covariance, the noise's taken off."""
    mean = values.mean(dim=1, keepdim=True)
    centred = values - mean
    variances, basis = torch.linalg.eigh(centred.mT @ centred / max(1, values.shape[1] - 1))
    gain = (1 - (MARGIN * sigma) ** 2 / variances.clamp(min=1e-12)).clamp(min=0)
    return mean + (centred @ basis * gain[:, None]) @ basis.mT


def _wiener(values: Tensor, known: Tensor, sigma: float) -> Tensor:
    """Groups (R, K, D) with the covariance of their cleaner copies `known`."""
    mean = known.mean(dim=1, keepdim=True)
    centred = known - mean
    covariance = centred.mT @ centred / max(1, known.shape[1] - 1)
    # alike patches leave a covariance of low rank: without a floor, rounding would make the sum singular
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    noise = torch.diag_embed((ROUNDING * trace).clamp(min=sigma**2)[:, None].expand(-1, known.shape[-1]))
    return mean + (values - mean) @ torch.linalg.solve(covariance + noise, covariance)
