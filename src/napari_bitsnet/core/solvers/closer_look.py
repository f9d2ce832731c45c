"""Shows the coarse network windows of a mixture, after it has seen the whole."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_bitsnet.core.networks.cascade import COARSE_SIZE, Cascade, double

STRIDE = COARSE_SIZE // 2


def look_closer(
    network: Cascade, mixture: Tensor, hints: Tensor, difference: Tensor, *, weight: float
) -> Tensor:
    """Double the resolution of an answer by what the coarse network says about overlapping windows.

    It was trained on parts of pictures as well as on whole ones. A window's sign is free, so it is settled by
    the answer so far; where a window contradicts that, or is unrelated to it, it counts for little.

    Parameters
    ----------
    network : Cascade
        Only its coarse part is used.
    mixture : Tensor of shape (1, 3, S, S)
        S a multiple of 32, above 32.
    hints : Tensor of shape (1, 2, S, S)
        Scribbles.
    difference : Tensor of shape (1, 3, S / 2, S / 2)
        The answer so far, d.
    weight : float
        Share of the windows in the result, in [0, 1].

    Returns
    -------
    Tensor of shape (1, 3, S, S)

    Notes
    -----
    ``(1 - weight) d + weight * mean of r e`` over the windows that cover a pixel, tapered towards their borders: e is
    the network's answer, ``r = <e, d> / (|e| |d|)`` its correlation with d in the window, sign included.
    """
    size = tuple(mixture.shape[-2:])
    so_far = double(difference)
    before, seen, marks = (_windows(image) for image in (so_far, mixture, hints))
    said = network.start(seen, marks)
    product = (said * before).sum(dim=(1, 2, 3), keepdim=True)
    lengths = said.square().sum(dim=(1, 2, 3), keepdim=True) * before.square().sum(
        dim=(1, 2, 3), keepdim=True
    )
    correlation = product / lengths.sqrt().clamp_min(1e-12)

    slope = torch.hann_window(COARSE_SIZE + 2, periodic=False, device=mixture.device)[1:-1]
    taper = (slope[:, None] * slope).expand(len(seen), 3, -1, -1)
    closer = _together(correlation * said * taper, size) / _together(taper, size)
    return so_far + weight * (closer - so_far)


def _windows(image: Tensor) -> Tensor:
    """Overlapping windows of an image (1, C, S, S) as a batch (L, C, 32, 32)."""
    columns = F.unfold(image, COARSE_SIZE, stride=STRIDE)
    return columns[0].T.reshape(-1, image.shape[1], COARSE_SIZE, COARSE_SIZE)


def _together(windows: Tensor, size: tuple[int, ...]) -> Tensor:
    """Sum windows (L, C, 32, 32) where they came from; (1, C, S, S)."""
    return F.fold(windows.flatten(1).T[None], size, COARSE_SIZE, stride=STRIDE)
