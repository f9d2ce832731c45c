"""Estimate the mixing weights of several mixtures from the mixtures alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods.unmixing.joint_diagonalisation import joint_diagonaliser

SMOOTHINGS = (0.0, 0.7, 1.0, 1.5, 2.0, 3.0)  # pixels, tried in turn
SOME_SIGNAL, ENOUGH_SIGNAL = 0.1, 2.0  # variance of the gradients' faintest component over that of the noise
ABOVE_NOISE = 10.0  # smallest ratio of a window's gradient variance to the noise variance ...
SHARES = (0.05, 0.4)  # ... for fractions of all windows between these two
NOISE_WINDOW = 13  # pixels
QUIET = 0.02  # fraction of windows, the quietest, that estimate the noise
MOST_WINDOWS = 50_000
SINGULAR = 1e-4  # added to a window's relative variances, so that a window with a single edge cannot dominate


@torch.no_grad()
def estimating_weights(
    observations: Tensor,
    n_sources: int,
    *,
    valid: Tensor | None = None,
    window: int = 5,
    least_smoothing: float = 0.0,
) -> Stages[NDArray]:
    """Estimate the mixing weights of several mixtures, up to a scale for each source; tells which images are
    compared.

    Parameters
    ----------
    observations : Tensor of shape (M, C, H, W)
        The mixtures on a common [0, 1] scale; weights are the same in all channels.
    n_sources : int
        K, at most M.
    valid : Tensor of shape (1, 1, H, W), optional
        bool, False where pixels are missing.
    window : int
        Side in pixels of the windows in which sources may differ in strength.
    least_smoothing : float
        Smoothing in pixels below which gradients are left out; see `finest_scale`.

    Returns
    -------
    ndarray of shape (M, K), float64
        Columns of unit length with non-negative sums. The first column belongs to the source whose relative
        weight in the first mixture is largest.

    Notes
    -----
    Gradients mix as images do, ``grad I_m = sum_k W_mk grad t_k``, without the mean brightness that makes
    images dependent. Independent sources have edges and texture in different places. In every small window
    the gradients' covariance is ``W diag(v) W^T`` with its own variances v, plus noise of a known covariance,
    which is subtracted. Joint diagonalisation finds one W for all windows (see `joint_diagonaliser`); no
    source needs to be sparse or uncorrelated with the others over the whole image. If the gradients' faintest
    component does not exceed the noise, windows of smoothed mixtures are added, with the smallest sufficient
    smoothing. Departure from FastICA on the gradients: FastICA makes sources uncorrelated over the whole
    image, which photographs are not exactly; its weights were 0.5 to 3 dB worse on 8-bit photographs.

    References
    ----------
    Pham & Cardoso, "Blind separation of instantaneous mixtures of nonstationary sources", IEEE Trans. Signal
    Process. 49(9), 2001, doi:10.1109/78.942614.
    """
    yield Stage("noise of the mixtures")
    noise = noise_variance(observations, valid=valid)
    inside = None if valid is None else valid[..., :-1, :-1]
    pooled = []
    for smoothing in SMOOTHINGS:
        if smoothing < least_smoothing:
            continue
        yield Stage(f"weights, smoothed by {smoothing:g} px")
        steps = gradients(observations, smoothing=smoothing)
        level = noise * gradient_noise_gain(smoothing)
        axes, faintest = principal_axes(steps, level, n_sources)
        if faintest < SOME_SIGNAL * level and smoothing < SMOOTHINGS[-1]:
            continue
        whiten = np.linalg.pinv(axes)
        moments = whiten @ window_moments(steps, window, inside) @ whiten.T
        telling, _ = telling_windows(moments, level * whiten @ whiten.T)
        pooled.append(axes @ telling @ axes.T)
        if faintest >= ENOUGH_SIGNAL * level:
            break
    # these coordinates only improve the conditioning; the criterion does not depend on them
    weights = axes @ np.linalg.inv(joint_diagonaliser(whiten @ np.concatenate(pooled) @ whiten.T))
    weights = weights / np.linalg.norm(weights, axis=0)
    weights = weights * np.where(weights.sum(axis=0) < 0, -1, 1)
    return weights[:, np.argsort(-weights[0] / np.abs(weights).sum(axis=0), kind="stable")]


def gradients(observations: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Return forward differences along rows and columns: (M, C, H, W) -> (M, 2 C, H - 1, W - 1).

    Parameters
    ----------
    observations : Tensor of shape (M, C, H, W)
        The mixtures.
    smoothing : float
        Standard deviation, in pixels, of a Gaussian filter that is applied first.
    """
    if smoothing > 0:
        observations = blur(observations, smoothing)
    here = observations[:, :, :-1, :-1]
    return torch.cat([observations[:, :, 1:, :-1] - here, observations[:, :, :-1, 1:] - here], dim=1)


def window_moments(fields: Tensor, window: int, valid: Tensor | None = None) -> NDArray:
    """Return the second moments of P fields in windows that overlap by half.

    Parameters
    ----------
    fields : Tensor of shape (P, F, H, W)
        P fields of F components each.
    window : int
        Side of the windows in pixels, reduced for smaller images.
    valid : Tensor of shape (1, 1, H, W), optional
        bool; windows that touch missing pixels are left out if others remain.

    Returns
    -------
    ndarray of shape (n, P, P), float64
        Means over the components and the pixels of a window, one matrix for each of n windows.
    """
    window = min(window, *fields.shape[-2:])
    stride = max(1, window // 2)
    count, means = len(fields), {}
    for i, a in enumerate(fields):  # one pair at a time: all products together would not fit into memory
        for j, b in enumerate(fields[: i + 1]):
            means[i, j] = means[j, i] = avg_pool2d((a * b).mean(dim=0)[None], window, stride).flatten()
    moments = torch.stack([means[divmod(pair, count)] for pair in range(count**2)]).unflatten(0, (count, -1))
    if valid is not None:
        whole = avg_pool2d(valid[0].to(fields.dtype), window, stride).flatten() == 1
        moments = moments[..., whole] if whole.any() else moments
    return moments.permute(2, 0, 1).double().cpu().numpy()


def noise_variance(observations: Tensor, *, valid: Tensor | None = None) -> float:
    """Estimate the variance of white noise that is equally strong in all mixtures, including rounding.

    Parameters
    ----------
    observations : Tensor of shape (M, C, H, W)
        The mixtures.
    valid : Tensor of shape (1, 1, H, W), optional
        bool; windows that touch missing pixels are left out if others remain.

    Returns
    -------
    float
        Variance, in squared units of the observations.

    Notes
    -----
    Second differences along both axes (Immerkaer's mask) suppress smooth shading. The remaining texture is
    shared by mixtures and channels; noise is not. In the quietest windows the smallest eigenvalue of the
    covariance of all M C planes therefore measures the noise. It is divided by its value for noise of
    variance one. The result is at least the variance of rounding, ``step**2 / 12``.

    References
    ----------
    Immerkaer, "Fast noise variance estimation", CVIU 64(2), 1996, doi:10.1006/cviu.1996.0060.
    """
    planes = observations.flatten(0, 1)
    pure = torch.randn((len(planes), 128, 128), generator=torch.Generator().manual_seed(0))
    found = _quietest_energy(planes, valid) / _quietest_energy(pure.to(planes), None)
    return max(found, rounding_step(observations) ** 2 / 12)


def _quietest_energy(planes: Tensor, valid: Tensor | None) -> float:
    """Return the smallest eigenvalue of second differences (P, H, W) in the quietest windows."""
    line = torch.tensor([1.0, -2.0, 1.0]).to(planes)
    curls = conv2d(planes[:, None], (line[:, None] * line)[None, None])  # (P, 1, H - 2, W - 2)
    inside = None if valid is None else valid[..., 1:-1, 1:-1]
    least = np.linalg.eigvalsh(window_moments(curls, NOISE_WINDOW, inside))[:, 0]
    return float(np.quantile(least, QUIET))


def rounding_step(observations: Tensor) -> float:
    """Return the quantisation step of all values (8 bits: the range / 255), or 0 if they are continuous."""
    values = observations.flatten()
    values = torch.unique(values[:: max(1, len(values) // 100_000)]).double().cpu().numpy()
    if len(values) < 32:
        return 0.0
    gaps = np.diff(values)
    return float(gaps.min()) if gaps.min() > 1e-5 else 0.0


def gradient_noise_gain(smoothing: float) -> float:
    """Return the variance of a forward difference of smoothed unit white noise; 2 without smoothing."""
    if smoothing == 0:
        return 2.0
    radius = int(5 * smoothing) + 2
    impulse = torch.zeros(1, 1, 2 * radius + 1, 2 * radius + 1, dtype=torch.float64)
    impulse[..., radius, radius] = 1
    return float(blur(impulse, smoothing).diff(dim=-1).square().sum())


def principal_axes(steps: Tensor, noise: float, count: int) -> tuple[NDArray, float]:
    """Return the scaled principal axes (M, K) of gradients (M, F, H, W), and the least variance."""
    moments = torch.einsum("mfhw,nfhw->mn", steps, steps) / steps[0].numel()
    variances, axes = np.linalg.eigh(moments.double().cpu().numpy() - noise * np.eye(len(steps)))
    variances, axes = variances[-count:], axes[:, -count:]
    floor = SINGULAR * max(variances[-1], noise, 1e-12)  # where the noise hides a component
    return axes * np.sqrt(np.maximum(variances, floor)), float(variances[0])


def telling_windows(covariances: NDArray, noise: NDArray) -> tuple[NDArray, NDArray]:
    """Subtract the noise and keep the windows with strong gradients: (n, K, K) -> (n', K, K), and their
    numbers (n',)."""
    count = covariances.shape[-1]
    if not len(covariances):  # every window touches missing pixels
        return np.eye(count)[None], np.arange(0)
    covariances = covariances - noise
    energy = np.trace(covariances, axis1=1, axis2=2)
    share = np.clip((energy > ABOVE_NOISE * np.trace(noise)).mean(), *SHARES)
    kept = np.flatnonzero((energy >= np.quantile(energy, 1 - share)) & (energy > 0))
    kept = kept[:: len(kept) // MOST_WINDOWS + 1]
    covariances = covariances[kept] + SINGULAR * energy[kept, None, None] * np.eye(count) / count
    positive = np.linalg.eigvalsh(covariances)[:, 0] > 0
    return (covariances[positive], kept[positive]) if positive.any() else (np.eye(count)[None], kept[:0])
