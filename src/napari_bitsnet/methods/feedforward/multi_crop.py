"""Refine an estimate by running the network on overlapping windows of the mixture."""

from __future__ import annotations

from collections.abc import Generator

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_bitsnet.methods.feedforward.network import ANSWER_SIZE, SEEN_SIZE, SplitNetwork

BATCH = 5
"""Windows that the network sees together on a CPU, where more at once are no faster: about two seconds on a
busy core."""


def window_answers(
    network: SplitNetwork, mixture: Tensor, hints: Tensor
) -> Generator[tuple[int, int], None, Tensor]:
    """Return the network's answer for each window, (L, 3, 64, 64); before each batch but the first, yield how
    many are done.

    The network was trained on parts of pictures as well as on whole ones.

    Parameters
    ----------
    network : SplitNetwork
        Trained.
    mixture : Tensor of shape (1, 3, 2 S, 2 S)
        Mixture; 2 S = 128 + 64 n, so that windows of 128 pixels that overlap by half cover it.
    hints : Tensor of shape (1, 2, 2 S, 2 S)
        Scribbles.
    """
    windows, marks = (_windows(image, SEEN_SIZE) for image in (mixture, hints))
    size = BATCH if windows.device.type == "cpu" else len(windows)
    answers: list[Tensor] = []
    for seen, marked in zip(windows.split(size), marks.split(size), strict=True):
        if answers:
            yield len(answers) * size, len(windows)
        answers.append(network(seen, marked))
    return torch.cat(answers)


def follow_windows(
    said: Tensor, difference: Tensor, side: int, *, weight: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Bring an estimate to a higher resolution by the network's estimates for overlapping windows.

    The sign of a window is free, so the estimate so far settles it. A window that is hardly correlated with
    the estimate so far has a small weight.

    Parameters
    ----------
    said : Tensor of shape (L, 3, 64, 64)
        Result of `window_answers`.
    difference : Tensor of shape (1, 3, s, s)
        The estimate so far, d; s at most S.
    side : int
        S, half of the mixture's side at this resolution.
    weight : float
        Share of the windows in the result, in [0, 1].

    Returns
    -------
    tuple of Tensor
        d (1, 3, S, S), and its support in [0, 1]: the absolute correlations of the windows with d, weighted
        by the energy of d in each.

    Notes
    -----
    The result is ``(1 - weight) d + weight * mean of r e`` over the windows that cover a pixel, tapered
    towards their borders. e is the network's estimate, ``r = <e, d> / (|e| |d|)`` its signed correlation with
    d in the window.
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
    """Return the windows of an image (1, C, T, T) that overlap by half, as a batch (L, C, side, side)."""
    columns = F.unfold(image, side, stride=side // 2)
    return columns[0].T.reshape(-1, image.shape[1], side, side)


def _together(windows: Tensor, size: tuple[int, ...]) -> Tensor:
    """Sum windows (L, C, 64, 64) at their places into an image (1, C, S, S)."""
    return F.fold(windows.flatten(1).T[None], size, ANSWER_SIZE, stride=ANSWER_SIZE // 2)
