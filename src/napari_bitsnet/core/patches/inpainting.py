"""Missing pixels from groups of similar patches, each group taken as draws from one Gaussian."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
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
from napari_bitsnet.core.stages import Partial, Stage, Stages, exhaust

CHUNK = 512
"""Groups whose covariances are worked on together."""
TRUST = 3e-3
"""Standard deviation of known pixels about the Gaussian model, on the [0, 1] scale."""
SPREAD = 3e-3
"""Standard deviation added in every direction, so that groups with too few patches stay invertible."""
HOLE_SIDE, HOLE_REACH = 6, 16
"""Side of patches and furthest shift, in pixels, where holes are as large as letters: more of both than for
single pixels."""
UNKNOWN = 1e3
"""Variance of a missing pixel's value."""


def interpolate_missing(image: Tensor, valid: Tensor) -> Tensor:
    """Fill missing pixels linearly between their known neighbours; the nearest one's value outside of all.

    Parameters
    ----------
    image : Tensor of shape (1, C, H, W)
        Any values where pixels are missing.
    valid : Tensor of shape (1, 1, H, W)
        bool, True where pixels are known; at least one.

    Returns
    -------
    Tensor of shape (1, C, H, W)

    Notes
    -----
    Linear on the Delaunay triangles of the known pixels next to a missing one.
    """
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
    from scipy.ndimage import binary_dilation
    from scipy.spatial import QhullError

    known = valid[0, 0].cpu().numpy()
    rim = known & binary_dilation(~known, np.ones((3, 3), bool))
    if not rim.any():
        return image
    values = np.moveaxis(image[0].cpu().numpy(), 0, -1)
    points, wanted = np.argwhere(rim), np.argwhere(~known)
    filled = NearestNDInterpolator(points, values[rim])(wanted)
    try:
        linear = LinearNDInterpolator(points, values[rim])(wanted)
        filled = np.where(np.isnan(linear), filled, linear)
    except QhullError:  # fewer than three known neighbours, or all in a line
        pass
    out = values.copy()
    out[~known] = filled
    return torch.from_numpy(np.moveaxis(out, -1, 0)[None]).to(image)


@torch.no_grad()
def inpainting_patches(
    estimate: Tensor,
    observed: Tensor,
    valid: Tensor,
    *,
    side: int = 5,
    reach: int = 10,
    count: int = 60,
    stride: int = 2,
    offset: int = 0,
) -> Generator[Partial, None, Tensor]:
    """One round, which yields what is done on the way: groups and their statistics come from the current
    estimate, missing pixels from the known ones.

    Parameters
    ----------
    estimate : Tensor of shape (1, C, H, W)
        The image so far, complete.
    observed : Tensor of the same shape
        The image; any values where pixels are missing.
    valid : Tensor of shape (1, 1, H, W)
        bool, True where pixels are known.
    side, reach, count, stride : int
        Pixels a side of a patch; furthest shift in pixels; patches a group; pixels between reference patches.
    offset : int
        Where the first reference patch begins; another one in each round makes seams vanish.

    Returns
    -------
    Tensor of shape (1, C, H, W)
        Known pixels are as observed.

    Notes
    -----
    With m and C the mean and covariance of a group in the estimate, and N the diagonal variances of the
    pixels of its reference patch y (tiny where known, huge where missing), the patch becomes

    ``x = m + C (C + N)^-1 (y - m)``,

    the conditional mean of a Gaussian; overlapping patches are averaged. A few rounds from an interpolated
    start are alternating estimation of models and image. Patches without a missing pixel are left out.

    References
    ----------
    Yu, Sapiro & Mallat, "Solving Inverse Problems with Piecewise Linear Estimators", IEEE TIP 21(5), 2012,
    doi:10.1109/TIP.2011.2176743.
    Departure: one Gaussian for each group of similar patches (as in NL-Bayes) in place of a few for the whole
    image.
    """
    height, width = observed.shape[-2:]
    side = min(side, height, width)
    current, target = opponent(estimate), patches_of(opponent(observed), side)
    channels = observed.shape[1]
    known = patches_of(valid.to(observed), side).repeat(1, channels) > 0
    patches = patches_of(current, side)
    total, seen = patches * 1e-6, patches.new_full((len(patches),), 1e-6)
    rows, columns = reference_rows((height, width), side, stride, offset)
    eye = torch.eye(patches.shape[1], dtype=patches.dtype, device=patches.device)
    groups = similar_patches(
        current, rows, columns, side=side, reach=reach, count=count, wanted=~known.all(dim=1)
    )

    def so_far() -> Tensor:
        filled = opponent(put_together(total, seen, (height, width), side), inverse=True)
        return torch.where(valid, observed, filled)

    chunks = 0
    yield Partial(0.0, so_far)
    for references, members in groups:
        for reference, group in zip(references.split(CHUNK), members.split(CHUNK), strict=True):
            chunks += 1
            if chunks % LOOK_EVERY == 0:
                yield Partial(min(1.0, chunks * CHUNK / (len(rows) * len(columns))), so_far)
            values = patches[group]  # (R, K, D)
            mean = values.mean(dim=1, keepdim=True)
            centred = values - mean
            covariance = centred.mT @ centred / max(1, values.shape[1] - 1) + SPREAD**2 * eye
            seen_here = known[reference]
            noise = torch.where(seen_here, TRUST**2, UNKNOWN).to(values)
            misfit = torch.where(seen_here, target[reference] - mean[:, 0], 0.0)
            factor = torch.linalg.cholesky(covariance + torch.diag_embed(noise))
            update = covariance @ torch.cholesky_solve(misfit[..., None], factor)
            total.index_add_(0, reference, mean[:, 0] + update[..., 0])
            seen.index_add_(0, reference, torch.ones_like(reference, dtype=seen.dtype))
    return so_far()


def refining_fill(images: Tensor, missing: Tensor, *, rounds: int) -> Stages[Tensor]:
    """Go on from filled holes with texture from around, where they are, in rounds of `inpainting_patches`
    that are told.

    Parameters
    ----------
    images : Tensor of shape (N, C, H, W)
        Filled, each on its own; they are what groups begin from.
    missing : Tensor of shape (1, 1, H, W)
        bool, the holes.
    rounds : int
        0 leaves the images as they are.

    Returns
    -------
    Tensor of shape (N, C, H, W)
        In [0, 1] in the holes, as it was elsewhere.
    """
    if not rounds or not bool(missing.any()):
        return images
    rows, columns = (missing[0, 0].any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    around = HOLE_REACH + HOLE_SIDE
    place = (
        ...,
        slice(max(0, int(rows[0]) - around), int(rows[-1]) + 1 + around),
        slice(max(0, int(columns[0]) - around), int(columns[-1]) + 1 + around),
    )
    known, result = ~missing[place], images.clone()
    for image in result.split(1):
        observed = filled = image[place]
        for k in range(rounds):
            yield Stage(f"texture, round {k + 1} of {rounds}")
            work = inpainting_patches(filled, observed, known, side=HOLE_SIDE, reach=HOLE_REACH, offset=k % 2)
            filled = exhaust(work).clamp(0, 1)
        image[place] = torch.where(known, observed, filled)
    return result
