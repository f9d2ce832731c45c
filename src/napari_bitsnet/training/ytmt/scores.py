"""How far estimated images are from the true ones, in decibels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def decibels(estimate: Tensor, truth: Tensor) -> float:
    """Return the mean over images (N, C, H, W) of the peak signal-to-noise ratio at data range 1."""
    error = (estimate - truth).square().mean(dim=(1, 2, 3)).clamp_min(1e-12)
    return float(-10 * error.log10().mean())


def offset_free_gain(estimates: Tensor, mixture: Tensor, truths: Tensor) -> list[float]:
    """Return the mean gain of each of K shares (N, K, C, H, W) over the mixture, after the best constants.

    Notes
    -----
    Shares are compared at K times their size, as whole images are with the mixture: ``-10 log10(var(K (e -
    t)) / var(I - K t))``.
    """
    count = truths.shape[1]

    def spread(x: Tensor) -> Tensor:
        return (x - x.mean(dim=(-2, -1), keepdim=True)).square().mean(dim=(-3, -2, -1)).clamp_min(1e-12)

    error, null = spread(count * (estimates - truths)), spread(mixture[:, None] - count * truths)
    gains: list[float] = (10 * (null / error).log10()).mean(dim=0).tolist()
    return gains


def held_out_scores(
    answer: Tensor, mixture: Tensor, images: Tensor, kinds: Sequence[str], *, whole: bool
) -> dict[str, float]:
    """Return the scores of a validation by their names, the one to watch first.

    Parameters
    ----------
    answer, images : Tensor of shape (N, K, C, H, W)
        Estimates and truths.
    mixture : Tensor of shape (N, C, H, W)
        What was separated.
    kinds : sequence of str
        Names of the K kinds.
    whole : bool
        Whether images are whole ones, such as a view and a reflection, whose decibels count as they are;
        otherwise they are parts of the mixture, known up to constants.
    """
    if not whole:
        gains = offset_free_gain(answer, mixture, images)
        mean = {"offset-free gain (dB)": sum(gains) / len(gains)}
        return mean | {f"{kind} (dB)": gain for kind, gain in zip(kinds, gains, strict=True)}
    each = [decibels(answer[:, k].clamp(0, 1), images[:, k]) for k in range(len(kinds))]
    gain = {"gain (dB)": each[0] - decibels(mixture, images[:, 0])}
    return gain | {f"{kind} (dB)": value for kind, value in zip(kinds, each, strict=True)}
