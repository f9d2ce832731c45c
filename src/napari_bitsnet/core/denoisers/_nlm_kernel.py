"""Non-local means as one Triton kernel, for CUDA: every pixel's sums stay in registers instead of memory."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 32, 32  # rows and columns of one program


def weighted_means(
    padded: Tensor, size: tuple[int, int], *, side: int, distance: int, expected: float, least: float
) -> Tensor:
    """Average pixels by the similarity of their patches, as `nlm`, but over all shifts instead of half.

    Parameters
    ----------
    padded : Tensor of shape (B, H + 2 * margin, W + 2 * margin)
        Contiguous float32 on CUDA, in units in which patch sums are exponents of two.
    size : (int, int)
        H and W.
    side : int
        Side of the summed patches, in pixels.
    distance : int
        Largest shift along each axis, in pixels.
    expected : float
        Expected contribution of noise to a patch's sum.
    least : float
        Weights below this value count as 0.

    Returns
    -------
    Tensor of shape (B, H, W)
    """
    height, width = size
    answer = torch.empty((len(padded), height, width), device=padded.device, dtype=padded.dtype)
    margin = (padded.shape[-1] - width) // 2
    grid = (triton.cdiv(width, BLOCK[1]), triton.cdiv(height, BLOCK[0]), len(padded))
    _average[grid](
        padded,
        answer,
        height,
        width,
        padded.shape[-2] * padded.shape[-1],
        padded.shape[-1],
        margin,
        expected,
        least,
        SIDE=side,
        BEFORE=side // 2 - 1,  # the patch reaches from p - before to p + before + 1
        DISTANCE=distance,
        ROWS=BLOCK[0],
        COLUMNS=BLOCK[1],
        num_warps=8,
    )
    return answer


@triton.jit
def _average(  # type: ignore[no-untyped-def]
    padded, answer, height, width, plane, pitch, margin, expected, least,
    SIDE: tl.constexpr, BEFORE: tl.constexpr, DISTANCE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Compute one block of pixels of one plane."""
    y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    index = tl.program_id(2).to(tl.int64)
    inside = (y[:, None] < height) & (x[None, :] < width)
    here = padded + index * plane + (y[:, None] + margin) * pitch + x[None, :] + margin
    value = tl.load(here, mask=inside, other=0.0)
    total = tl.full((ROWS, COLUMNS), 1.0, tl.float32)  # the pixel itself
    summed = value
    for down in range(-DISTANCE, DISTANCE + 1):
        for right in range(-DISTANCE, DISTANCE + 1):
            shift = down * pitch + right
            squares = tl.zeros((ROWS, COLUMNS), tl.float32)
            for row in tl.static_range(SIDE):
                for column in tl.static_range(SIDE):
                    patch = here + (row - BEFORE) * pitch + (column - BEFORE)
                    one = tl.load(patch, mask=inside, other=0.0)
                    other = tl.load(patch + shift, mask=inside, other=0.0)
                    squares += (one - other) * (one - other)
            weight = tl.exp2(tl.minimum(expected - squares, 0.0))
            weight = tl.where((weight > least) & ((down != 0) | (right != 0)), weight, 0.0)
            total += weight
            summed += weight * tl.load(here + shift, mask=inside, other=0.0)
    target = answer + index * height * width + y[:, None] * width + x[None, :]
    tl.store(target, summed / total, mask=inside)
