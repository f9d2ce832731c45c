"""Propose pairs of finer lattices for a pattern whose period may be the common period of two patterns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_bitsnet.methods.periodic.lattices import SHORTEST, Lattice, reduced
from napari_bitsnet.methods.periodic.repeating import Repeating

INDEX = 36
"""Largest number of a pattern's cells in one common cell: 36 allows ratios of periods up to 6 along each
side."""
FINEST = 4.0
"""Shortest wavelength, in pixels, that counts when pairs are ranked."""
LEAST = 0.02
"""Smallest noise, as a fraction of the energy: interpolation errors must not favour larger cells."""
SHARE = 0.08
"""Smallest energy of a pattern, as a fraction of the total, above the energy expected on its waves by
chance."""


class Proposal(NamedTuple):
    """Two lattices and their expected cross-validation error."""

    error: float
    lattices: list[Lattice]


def proposed_pairs(
    field: Tensor, common: Lattice, valid: Tensor | None = None, *, count: int = 4
) -> list[Proposal]:
    """Return the pairs of lattices containing a given one that predict a field best, the best first.

    Parameters
    ----------
    field : Tensor of shape (C, H, W)
        Band-passed image.
    common : Lattice
        Lattice on which the whole field repeats.
    valid : Tensor of shape (H, W), optional
        1 where pixels are known, 0 where they are missing.
    count : int
        Largest number of pairs.

    Notes
    -----
    A lattice that contains L has a subset of L's waves: ``k = M' j`` for integer j. M is one of the sigma(n)
    Hermite normal forms of determinant n. Let E be the energies of the waves of L's cell. A pair leaves the
    residual ``rest + E(L) - E(A) - E(B) + E(A and B)``; one matrix product gives it for all pairs. Divided by
    ``(1 - 1 / N_A - 1 / N_B)²``, with N cells in view, it is the error of generalised cross-validation: two
    patterns have far fewer free parameters than L's cell.
    """
    size = (field.shape[-2], field.shape[-1])
    pattern = Repeating(common, size, len(field), field, valid)
    mass = pattern.gather(torch.ones_like(field[:1])) + 1e-3
    for _ in range(3):
        pattern.cell = pattern.cell + pattern.gather(field - pattern.image) / mass
    known = float(field[0].numel() if valid is None else valid.sum())
    rest = float(((field - pattern.image) ** 2 * (1 if valid is None else valid)).sum()) / (
        known * len(field)
    )
    waves, energy = _waves(pattern.cell, common)
    total = float(energy.sum())
    finer = [entry for n in range(2, INDEX + 1) for entry in _finer(common, n)]
    if not finer:  # stripes: one of the common periods is too short to be divided
        return []
    held = np.stack([_has(matrix, waves) for matrix, _ in finer])
    alone = held @ energy
    density = np.array([1 / round(np.linalg.det(matrix)) for matrix, _ in finer])
    kept = np.flatnonzero(alone > (density + SHARE * (1 - density)) * total)
    held, alone, density = held[kept], alone[kept], density[kept]
    both = (held * energy) @ held.T
    left = np.maximum(rest + total - alone[:, None] - alone[None] + both, 0) + LEAST * total
    freedom = (density[:, None] + density[None]) * common.area / known
    error = left / np.maximum(1 - freedom, 0.05) ** 2
    adds = np.minimum(alone[:, None], alone[None]) - both  # energy that only the weaker pattern has
    error = np.where((adds > SHARE * total) & (density[:, None] + density[None] < 1), error, np.inf)
    pairs: list[Proposal] = []
    for flat in np.argsort(error, axis=None, kind="stable"):
        i, j = np.unravel_index(flat, error.shape)
        if len(pairs) == count or not np.isfinite(error[i, j]):
            break
        if i < j:
            order = (i, j) if alone[i] >= alone[j] else (j, i)
            pairs.append(Proposal(float(error[i, j]), [finer[kept[k]][1] for k in order]))
    return pairs


def _waves(cell: Tensor, lattice: Lattice) -> tuple[NDArray, NDArray]:
    """Return the waves of a cell that are not too fine, (P, 2) integers, and their mean squares (P,)."""
    power = (torch.fft.fft2(cell, norm="forward").abs() ** 2).mean(dim=0).cpu().double().numpy()
    along, across = (np.round(np.fft.fftfreq(n) * n) for n in power.shape)
    waves = np.stack(np.meshgrid(along, across, indexing="ij"), axis=-1).reshape(-1, 2)
    frequency = np.linalg.norm(waves @ np.linalg.inv(lattice.matrix), axis=1)
    near = (frequency > 0) & (frequency < 1 / FINEST)
    return waves[near].astype(int), power.reshape(-1)[near]


def _finer(lattice: Lattice, index: int) -> list[tuple[NDArray, Lattice]]:
    """Return all lattices with n times smaller cells that contain one, each with the basis of its waves."""
    found = []
    for first in (n for n in range(1, index + 1) if index % n == 0):
        for shift in range(index // first):
            matrix = np.array([[first, shift], [0, index // first]])
            a, b = reduced(*(lattice.matrix @ np.linalg.inv(matrix)).T)
            if np.hypot(*a) >= SHORTEST:
                pair = Lattice((float(a[0]), float(a[1])), (float(b[0]), float(b[1])), lattice.periodic)
                found.append((matrix, pair))
    return found


def _has(matrix: NDArray, waves: NDArray) -> NDArray:
    """Return 1 where waves (P, 2) are integer combinations of a matrix' rows, else 0."""
    (first, shift), (_, second) = matrix
    return ((waves[:, 0] % first == 0) & ((waves[:, 1] - shift * (waves[:, 0] // first)) % second == 0)) * 1.0
