"""Non-local means, computed on the device by shifts of the whole image."""

from __future__ import annotations

import logging
import math
from functools import cache

import torch
from torch import Tensor

from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.core.operators.padding import pad_by_reflection

LOG = logging.getLogger(__name__)
FURTHEST = 5.0  # squared patch distance, in units of h, beyond which a weight counts as zero
BLOCK = 2**18  # pixels per batch on a CPU, so that the intermediate images stay in its cache


@DENOISERS.register("nlm")
@torch.no_grad()
def nlm(
    image: Tensor, sigma: float, *, h: float | None = None, patch_size: int = 5, patch_distance: int = 6
) -> Tensor:
    """Denoise by averaging pixels with similar surroundings.

    Parameters
    ----------
    image, sigma
        See `Denoiser`.
    h : float, optional
        Width of the weight function of patch distances, on the same scale; default ``0.6 * sigma``.
    patch_size : int
        Side of the compared patches in pixels, >= 3; even sizes count as the next odd one.
    patch_distance : int
        Largest shift along each axis, in pixels, >= 1.

    Notes
    -----
    With P the pixels of the patch at the origin and T all shifts of up to `patch_distance`,

    ``y(p) = sum_T w(p, t) x(p + t) / sum_T w(p, t)``,
    ``w(p, t) = exp(-max(0, sum_P (x(p + q) - x(p + t + q))**2 - 2 sigma**2) / (h * patch_size)**2)``,

    where the noise variance is subtracted from each squared difference, and w is 0 if the exponent is below
    -5. For each shift, one box filter over the whole image gives the patch sums. Half of the shifts suffice
    because ``w(p, t) = w(p + t, -t)``. Cost: ``(2 patch_distance + 1)**2 / 2`` box filters.

    The result agrees with scikit-image's ``denoise_nl_means(fast_mode=True)``, including borders, within 0.1
    h at any pixel and 0.01 h on average. Its integral image omits the patch's first row and column (a patch
    of 5 sums 4 x 4 differences, divided by 25); this is reproduced here. Its fast exponential, accurate to 4
    %, is not.

    References
    ----------
    Buades, Coll & Morel, "A non-local algorithm for image denoising", CVPR 2005, doi:10.1109/CVPR.2005.38.
    Darbon et al., "Fast nonlocal filtering applied to electron cryomicroscopy", ISBI 2008,
    doi:10.1109/ISBI.2008.4541250.
    """
    h = 0.6 * sigma if h is None else h
    if sigma < 0 or patch_size < 3 or patch_distance < 1:
        raise ValueError(
            "Expected sigma >= 0, patch_size >= 3 and patch_distance >= 1, got "
            f"{sigma:g}, {patch_size} and {patch_distance}."
        )
    if sigma == 0:
        return image
    if h <= 0:
        raise ValueError(f"Expected h > 0, got {h:g}: it is the width of the patch weights.")

    patch_size += 1 - patch_size % 2
    height, width = image.shape[-2:]
    planes = image.reshape(-1, height, width)
    per_block = max(1, BLOCK // (height * width)) if image.device.type == "cpu" else len(planes)
    blocks = [_denoise(block, sigma, h, patch_size, patch_distance) for block in planes.split(per_block)]
    return torch.cat(blocks).reshape(image.shape)


def _denoise(planes: Tensor, sigma: float, h: float, patch_size: int, patch_distance: int) -> Tensor:
    """Denoise (B, H, W), with intensities scaled so that patch sums are exponents of a power of two."""
    unit = h * patch_size * math.sqrt(math.log(2))  # exp2 is several times faster on a CPU than exp
    side = patch_size - 1
    before = patch_size // 2 - 1  # the patch reaches from p - before to p + before + 1
    margin = patch_distance + patch_size // 2
    height, width = planes.shape[-2:]
    padded = pad_by_reflection(planes / unit, margin)
    expected = 2 * side**2 * (sigma / unit) ** 2  # expected contribution of noise to a patch's sum
    if planes.is_cuda and planes.dtype == torch.float32 and has_fused_kernel(planes.device):
        from napari_bitsnet.core.denoisers._nlm_kernel import weighted_means

        means = weighted_means(
            padded.contiguous(),
            (height, width),
            side=side,
            distance=patch_distance,
            expected=expected,
            least=math.exp(-FURTHEST),
        )
        return means.mul_(unit)

    def window(top: int, bottom: int, left: int, right: int) -> Tensor:
        return padded[:, margin + top : margin + bottom, margin + left : margin + right]

    image = window(0, height, 0, width)
    total = torch.ones_like(image)  # the pixel itself
    answer = image.clone()
    for down in range(-patch_distance, patch_distance + 1):
        for right in range(patch_distance + 1):
            if right == 0 and down <= 0:
                continue
            # w(p, t) for all p of which p or p + t lies in the image: rows [top, bottom), columns [left,
            # width)
            top, bottom, left = min(0, -down), max(height, height - down), -right
            reach = (top - before, bottom + before + 1, left - before, width + before + 1)
            moved = (reach[0] + down, reach[1] + down, reach[2] + right, reach[3] + right)
            squares = (window(*reach) - window(*moved)).square_()
            weights = torch.rsub(_box_sums(squares, side), expected).clamp_(max=0).exp2_()
            torch.threshold_(weights, math.exp(-FURTHEST), 0.0)

            forth = weights[:, -top : height - top, right:]
            back = weights[:, -down - top : height - down - top, :width]
            total.add_(forth).add_(back)
            answer.addcmul_(forth, window(down, height + down, right, width + right))
            answer.addcmul_(back, window(-down, height - down, -right, width - right))
    return answer.div_(total).mul_(unit)


@cache
def has_fused_kernel(device: torch.device) -> bool:
    """Return True if the fused kernel can be built here, which needs Triton and a C compiler."""
    try:
        from napari_bitsnet.core.denoisers._nlm_kernel import weighted_means

        flat = torch.zeros(1, 10, 10, device=device)
        weighted_means(flat, (2, 2), side=2, distance=2, expected=0.0, least=0.0)
    except Exception as error:
        LOG.warning("Non-local means without its fused kernel: %s", f"{error}".splitlines()[:1])
        return False
    return True


def _box_sums(image: Tensor, side: int) -> Tensor:
    """Sum over every window of side x side pixels: (B, H, W) -> (B, H - side + 1, W - side + 1)."""
    for axis in (-2, -1):
        length = image.shape[axis] - side + 1
        sums = image.narrow(axis, 0, length) + image.narrow(axis, 1, length)
        for start in range(2, side):
            sums.add_(image.narrow(axis, start, length))
        image = sums
    return image
