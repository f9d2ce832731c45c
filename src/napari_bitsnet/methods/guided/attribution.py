"""Attribution of what two guides leave unexplained: it goes to the side whose own part has edges there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 1.0
"""Standard deviation, in pixels, of the Gaussian that averages squared differences."""
FLOOR = 0.02
"""Least variance of a side's missed differences, relative to the mean of the fit."""
PIXELS = 2**16
"""Larger images are solved at this many pixels; their finer detail is divided by the local variances."""
ROUNDS = 4
"""Rounds of reweighting of the least-squares fit of the variances."""


def attribute(rest: Tensor, explained: Sequence[Tensor], valid: Tensor | None = None) -> Tensor:
    """Return the part of the rest that belongs to the first of two sources.

    Parameters
    ----------
    rest : Tensor of shape (1, C, H, W)
        What both guides leave unexplained.
    explained : two Tensors of shape (C, H, W)
        What each guide explains.
    valid : Tensor of shape (1, 1, H, W), bool, optional
        Pixels to look at.

    Returns
    -------
    Tensor of shape (C, H, W)
        a, of mean zero where the rest has; the second source's part is the rest minus a.

    Notes
    -----
    The gradients that guide k missed are taken to be Gaussian with the variance ``v_k = c_1 blur(|∇e_k|²) +
    c_2 / 2``. The constants, which both sides share, come from a non-negative least-squares fit of ``v_1 +
    v_2`` to ``|∇rest|²`` with weights ``1 / (v_1 + v_2)``. Then a minimises ``∫ |∇a|² / v_1 + |∇(rest - a)|²
    / v_2``, one sparse linear system for each channel.
    """
    import torch

    known = None if valid is None else valid[0, 0].cpu().numpy()
    parts = [
        _large(rest[0, c].cpu().numpy(), [e[c].cpu().numpy() for e in explained], known)
        for c in range(rest.shape[1])
    ]
    return torch.from_numpy(np.stack(parts)).to(rest)


def _large(rest: NDArray, explained: Sequence[NDArray], valid: NDArray | None) -> NDArray:
    """Attribute one channel (H, W) of any size."""
    height, width = rest.shape
    factor = (PIXELS / rest.size) ** 0.5
    if factor >= 1:
        return _solve(rest, *_variances(rest, explained, valid), valid)
    size = (max(2, round(height * factor)), max(2, round(width * factor)))
    small, *parts = (_resized(image, size) for image in (rest, *explained))
    known = None if valid is None else _resized(valid.astype(float), size) > 0.999
    first, second = _variances(small, parts, known)
    coarse = _solve(small, first, second, known)
    portion = _per_pixel(first, size) / (_per_pixel(first, size) + _per_pixel(second, size))
    coarse, portion, smooth = (_resized(image, rest.shape) for image in (coarse, portion, small))
    return coarse + portion * (rest - smooth)


def _resized(image: NDArray, size: tuple[int, ...]) -> NDArray:
    """Return an image at another size: area means when it shrinks, linear interpolation when it grows."""
    import torch
    from torch.nn import functional as F

    tensor = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float64))[None, None]
    shrinks = size[0] <= image.shape[0]
    resized = F.interpolate(tensor, tuple(size), mode="area" if shrinks else "bilinear")
    return np.asarray(resized[0, 0].numpy())


def _differences(image: NDArray) -> list[NDArray]:
    """Return the differences along rows, (H, W - 1), and along columns, (H - 1, W)."""
    return [np.diff(image, axis=1), np.diff(image, axis=0)]


def _per_pixel(values: NDArray, size: tuple[int, int]) -> NDArray:
    """Return a mean for each pixel of values at the differences, as `_variances` orders them."""
    height, width = size
    along, down = np.split(values, [height * (width - 1)])
    along = np.pad(along.reshape(height, width - 1), ((0, 0), (0, 1)), mode="edge")
    down = np.pad(down.reshape(height - 1, width), ((0, 1), (0, 0)), mode="edge")
    return (along + down) / 2


def _variances(rest: NDArray, explained: Sequence[NDArray], valid: NDArray | None) -> tuple[NDArray, NDArray]:
    """Return v_1 and v_2 at every difference: those along rows, then those along columns, flattened."""
    energies = [np.concatenate([_blurred(d.astype(float) ** 2) for d in _differences(e)]) for e in explained]
    target = np.concatenate([d.astype(float).ravel() ** 2 for d in _differences(rest)])
    seen = np.ones(len(target)) if valid is None else _seen(valid)
    mean = (target * seen).sum() / max(seen.sum(), 1)
    columns = np.stack([energies[0] + energies[1], np.ones_like(target)], axis=1)
    scale = columns.mean(axis=0) + 1e-12
    columns = columns / scale
    weight = seen / max(mean, 1e-12)
    for _ in range(ROUNDS):
        constants = _two_coefficients(columns * weight[:, None], target * weight)
        weight = seen / (columns @ constants + 0.05 * mean + 1e-12)
    floor = constants[1] / 2 + FLOOR * constants.sum() + 1e-12
    first, second = (constants[0] / scale[0] * energy + floor for energy in energies)
    return first, second


def _blurred(image: NDArray) -> NDArray:
    """Return the pixels of an image under a Gaussian of `WIDTH`."""
    import torch

    from napari_bitsnet.core.operators.blur import blur

    return np.asarray(blur(torch.from_numpy(image), WIDTH).numpy().ravel())


def _two_coefficients(columns: NDArray, target: NDArray) -> NDArray:
    """Return the non-negative least-squares coefficients (2,) of two columns (N, 2) for a target (N,).

    SciPy's `nnls` does the same; loading ``scipy.optimize`` takes longer than all that is computed here.
    """
    gram, cross = columns.T @ columns, columns.T @ target
    both = np.linalg.lstsq(gram, cross, rcond=None)[0]
    if both.min() >= 0:
        return np.asarray(both)
    alone = np.maximum(cross, 0) / np.maximum(np.diag(gram), 1e-300)
    kept = int(np.argmax(alone * cross))  # the energy that each column explains by itself
    return np.where(np.arange(2) == kept, alone, 0.0)


def _seen(valid: NDArray) -> NDArray:
    """Return 1 for differences between two valid pixels and 0 for others, ordered as in `_variances`."""
    return np.concatenate([(valid[:, 1:] & valid[:, :-1]).ravel(), (valid[1:] & valid[:-1]).ravel()]).astype(
        float
    )


def _solve(rest: NDArray, first: NDArray, second: NDArray, valid: NDArray | None) -> NDArray:
    """Minimise ``sum |∇a|² / first + |∇(rest - a)|² / second`` over a (H, W) of the rest's mean halved."""
    from scipy.sparse import diags, eye, kron, vstack
    from scipy.sparse.linalg import spsolve

    height, width = rest.shape
    along, down = (diags([-1.0, 1.0], [0, 1], shape=(n - 1, n)) for n in (width, height))
    steps = vstack([kron(eye(height), along), kron(down, eye(width))]).tocsr()
    slopes = steps @ rest.astype(float).ravel()
    if valid is not None:
        slopes = slopes * _seen(valid)
    inverse = 1 / first + 1 / second
    pull = 1e-6 * np.median(inverse)  # fixes the constant
    system = (steps.T @ diags(inverse) @ steps + pull * eye(rest.size)).tocsc()
    part = spsolve(system, steps.T @ (slopes / second)).reshape(height, width)
    seen = slice(None) if valid is None else valid
    return np.asarray(part - part[seen].mean() + rest[seen].mean() / 2)
