"""Short scribbles drawn from the truth, as a person would paint them on clear edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LENGTH = 11
"""Pixels of one scribble."""


def draw_scribbles(truths: NDArray, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw scribbles along edges that clearly belong to one of the sources, in turn.

    Parameters
    ----------
    truths : ndarray of shape (K, Y, X[, C])
        The sources' shares.
    count : int
        Number of scribbles in all.
    seed : int
        Of the places. With the same seed, more scribbles contain the fewer.

    Returns
    -------
    uint8 array of shape (Y, X)
        k + 1 where a scribble belongs to source k, else 0.

    Notes
    -----
    A scribble starts where a source's squared gradient is above its mean and four times that of the others, follows
    the edge (at right angles to the gradient) in a straight line over 11 pixels, and keeps those of them where its
    source's gradient is still the larger one.
    """
    grey = truths.mean(axis=-1) if truths.ndim == 4 else truths
    dy, dx = np.gradient(grey, axis=(1, 2))
    energy = dy**2 + dx**2
    rng = np.random.default_rng(seed)
    labels = np.zeros(grey.shape[1:], np.uint8)
    places = []
    for k, own in enumerate(energy):
        others = np.delete(energy, k, axis=0).max(axis=0)
        clear = np.argwhere((own > 4 * others) & (own > own.mean()))
        places.append(clear[rng.permutation(len(clear))])
    for i in range(count):
        k = i % len(grey)
        if i // len(grey) >= len(places[k]):
            continue
        y, x = places[k][i // len(grey)]
        along = np.array([-dx[k, y, x], dy[k, y, x]]) / np.sqrt(energy[k, y, x])
        steps = np.arange(LENGTH) - LENGTH // 2
        line = np.round([y, x] + steps[:, None] * along).astype(int)
        line = line[((line >= 0) & (line < labels.shape)).all(axis=1)]
        rows, columns = line.T
        kept = energy[k, rows, columns] >= energy[:, rows, columns].max(axis=0)
        labels[rows[kept], columns[kept]] = k + 1
    return labels
