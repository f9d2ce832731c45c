"""Carry two sources from one frame of a film to the next: estimate each motion, and a trust in the past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FURTHEST = 12
"""Largest motion along an axis, in pixels per frame."""
SMALL = 1e-4
"""Gain in explained edge energy, as a fraction, that the largest motion needs over no motion."""
WHOLE = 0.1
"""Motions within this distance, in pixels, of an integer are rounded to it, which avoids interpolation."""
NOISE = 0.05
"""Root mean square residual of the carried sources, on the [0, 1] scale, at which the trust fades."""
WINDOW = 5
"""Side, in pixels, of the windows over which the residual is averaged."""
ENOUGH = 0.5
"""Mean trust above which a frame counts as the same scene."""
Motion = tuple[float, float]


@dataclass(frozen=True)
class Carried:
    """Prediction of a frame from the previous one.

    Parameters
    ----------
    sources : ndarray of shape (2, C, H, W)
        The sources of the previous frame, moved, plus half of the residual each.
    trust : ndarray of shape (H, W)
        In [0, 1]: agreement with the mixture before the residual is added; 0 where content enters the image.
    motions : tuple of two (y, x)
        Motion of each source, in pixels.
    """

    sources: NDArray
    trust: NDArray
    motions: tuple[Motion, Motion]

    @property
    def enough(self) -> bool:
        """Return True if the past explains this frame on average, so that no cut lies between them."""
        return float(self.trust.mean()) > ENOUGH


def carry(before: NDArray, mixture: NDArray) -> Carried:
    """Move the sources of one frame to the next, whose mixture is known.

    Parameters
    ----------
    before : ndarray of shape (2, C, H, W)
        Shares of the previous frame.
    mixture : ndarray of shape (C, H, W)
        Mixture of this frame, on the same scale.

    Notes
    -----
    ``y_k = S_k y_k' + (I - S_1 y_1' - S_2 y_2') / 2`` with a shift ``S_k``. Shares that add up exactly have
    opposite errors e and -e. These become ``± (S_1 e + S_2 e) / 2``: if the sources move relative to each
    other, errors finer than their relative motion average out from frame to frame. Each step is a projection
    onto the constraint of one frame (Kaczmarz).

    References
    ----------
    Szeliski, Avidan & Anandan, "Layer Extraction from Multiple Images Containing Reflections and
    Transparency", CVPR 2000, doi:10.1109/CVPR.2000.855830: frames of layers in motion as linear equations.
    """
    from scipy.ndimage import uniform_filter

    motions = find_motions(before, mixture)
    moved = np.stack([_move(image, motion) for image, motion in zip(before, motions, strict=True)])
    left = mixture - moved.sum(axis=0)
    trust = np.exp(-uniform_filter((left**2).mean(axis=0), WINDOW) / (2 * NOISE**2))
    for motion in motions:
        trust[_entered(trust.shape, motion)] = 0
    return Carried(moved + left / 2, trust, motions)


def find_motions(before: NDArray, mixture: NDArray) -> tuple[Motion, Motion]:
    """Return the shifts (y, x) of two sources that explain the edges of the next mixture best, in pixels.

    Parameters
    ----------
    before, mixture
        See `carry`.

    Notes
    -----
    Minimises ``|g - S_1 f_1 - S_2 f_2|²`` with complex gradients g and f_k under a window. All pairs of
    integer shifts are compared: up to a constant the sum of squares is
    ``2 <S_1 f_1, S_2 f_2> - 2 <g, S_1 f_1> - 2 <g, S_2 f_2>``, three cross-correlations. Of two equally good
    pairs, the one with the smaller motion is chosen. Three Gauss-Newton steps on the gradients then find
    fractions of pixels. Images below 16 pixels a side, or without edges, get a motion of zero.
    """
    size = mixture.shape[-2:]
    reach = min(FURTHEST, min(size) // 4)
    first, second, observed = (np.fft.fft2(_windowed_gradients(image)) for image in (*before, mixture))
    energy = float(np.mean(np.abs(observed) ** 2))
    if reach < 4 or energy == 0:
        return (0.0, 0.0), (0.0, 0.0)
    shifts = np.arange(-reach, reach + 1)

    def products(a: NDArray, b: NDArray) -> NDArray:
        """Return ``<a, S b>`` for every shift S, the negative shifts at the end."""
        return np.fft.ifft2(a * b.conj()).real

    grid = np.stack(np.meshgrid(shifts, shifts, indexing="ij"), axis=-1).reshape(-1, 2)
    apart = grid[None] - grid[:, None]
    agreement = (
        products(observed, first)[tuple(grid.T)][:, None]
        + products(observed, second)[tuple(grid.T)][None]
        - products(first, second)[apart[..., 0], apart[..., 1]]
    )
    far = np.abs(grid).sum(axis=1) / reach
    agreement -= SMALL * energy * (far[:, None] + far[None])
    best = np.unravel_index(agreement.argmax(), agreement.shape)
    motions = [grid[i].astype(float) for i in best]

    inner = (slice(reach + 1, -reach - 1),) * 2
    grey, observed_grey = before.mean(axis=1), mixture.mean(axis=0)

    def edges(image: NDArray) -> NDArray:
        return np.concatenate([d[inner].ravel() for d in np.gradient(image)])

    for _ in range(3):
        moved = [_move(g[None], tuple(m))[0] for g, m in zip(grey, motions, strict=True)]
        slopes = np.stack([edges(slope) for image in moved for slope in np.gradient(image)], axis=1)
        change = -np.linalg.lstsq(slopes, edges(observed_grey - moved[0] - moved[1]), rcond=None)[0]
        motions = [m + c.clip(-0.5, 0.5) for m, c in zip(motions, change.reshape(2, 2), strict=True)]
    near = [np.where(abs(m - m.round()) < WHOLE, m.round(), m) for m in motions]
    return (float(near[0][0]), float(near[0][1])), (float(near[1][0]), float(near[1][1]))


def _windowed_gradients(image: NDArray) -> NDArray:
    """Return complex gradients (H, W) of the channels' mean, tapered towards the borders."""
    dy, dx = np.gradient(image.mean(axis=0))
    window = np.hanning(len(dy) + 2)[1:-1, None] * np.hanning(dy.shape[1] + 2)[1:-1]
    return (dx + 1j * dy) * window


def _move(image: NDArray, motion: tuple[float, ...]) -> NDArray:
    """Shift (C, H, W) by cubic splines; the border's pixels are repeated."""
    from scipy.ndimage import shift

    return shift(image, (0, *motion), order=3, mode="nearest") if any(motion) else image


def _entered(size: tuple[int, ...], motion: Motion) -> NDArray[np.bool_]:
    """Return True where a shifted image (H, W) shows content that was outside before."""
    rows, columns = (
        (places < by) | (places > length - 1 + by)
        for places, length, by in zip(np.ogrid[: size[0], : size[1]], size, motion, strict=True)
    )
    return rows | columns
