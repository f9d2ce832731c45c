"""Shows the network windows of a mixture, after it has seen the whole."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_bitsnet.methods.feedforward.network import ANSWER_SIZE, SEEN_SIZE, SplitNetwork


def window_answers(network: SplitNetwork, mixture: Tensor, hints: Tensor) -> Tensor:
    """Return the network's answer for each window, (L, 3, 64, 64).

    It was trained on parts of pictures as well as on whole ones.

    Parameters
    ----------
    network : SplitNetwork
        Trained.
    mixture : Tensor of shape (1, 3, 2 S, 2 S)
        2 S one of 128 + 64 n, so that windows of 128 pixels that overlap by half cover it.
    hints : Tensor of shape (1, 2, 2 S, 2 S)
        Scribbles.
    """
    return network(*(_windows(image, SEEN_SIZE) for image in (mixture, hints)))


def follow_windows(
    said: Tensor, difference: Tensor, side: int, *, weight: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Bring an answer to a higher resolution by what was said of overlapping windows.

    A window's sign is free, so it is settled by the answer so far; where a window contradicts that, or is unrelated to
    it, it counts for little.

    Parameters
    ----------
    said : Tensor of shape (L, 3, 64, 64)
        Of `window_answers`.
    difference : Tensor of shape (1, 3, s, s)
        The answer so far, d; s at most S.
    side : int
        S, half of the mixture's side there.
    weight : float
        Share of the windows in the result, in [0, 1].

    Returns
    -------
    tuple of Tensor
        d (1, 3, S, S), and its support: the windows' correlations without their signs, weighted by the energy of d in
        each; 0 to 1.

    Notes
    -----
    ``(1 - weight) d + weight * mean of r e`` over the windows that cover a pixel, tapered towards their borders: e is
    the network's answer, ``r = <e, d> / (|e| |d|)`` its correlation with d in the window, sign included.
    """
    size = (side, side)
    so_far = F.interpolate(difference, size, mode="bilinear", align_corners=False)
    before = _windows(so_far, ANSWER_SIZE)
    product = (said * before).sum(dim=(1, 2, 3), keepdim=True)
    energy = before.square().sum(dim=(1, 2, 3), keepdim=True)
    lengths = said.square().sum(dim=(1, 2, 3), keepdim=True) * energy
    correlation = product / lengths.sqrt().clamp_min(1e-12)

    slope = torch.hann_window(ANSWER_SIZE + 2, periodic=False, device=said.device)[1:-1]
    taper = (slope[:, None] * slope).expand(len(said), 3, -1, -1)
    closer = _together(correlation * said * taper, size) / _together(taper, size)
    support = (correlation.abs() * energy).sum() / energy.sum().clamp_min(1e-12)
    return so_far + weight * (closer - so_far), support


def _windows(image: Tensor, side: int) -> Tensor:
    """Windows of an image (1, C, T, T) that overlap by half, as a batch (L, C, side, side)."""
    columns = F.unfold(image, side, stride=side // 2)
    return columns[0].T.reshape(-1, image.shape[1], side, side)


def _together(windows: Tensor, size: tuple[int, ...]) -> Tensor:
    """Sum windows (L, C, 64, 64) where they came from; (1, C, S, S)."""
    return F.fold(windows.flatten(1).T[None], size, ANSWER_SIZE, stride=ANSWER_SIZE // 2)
