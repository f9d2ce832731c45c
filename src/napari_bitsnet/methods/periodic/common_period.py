"""Proposes the two patterns of which one with a larger period may consist: tiles in simple ratios have a period in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_bitsnet.methods.periodic.lattices import SHORTEST, Lattice, reduced
from napari_bitsnet.methods.periodic.repeating import Repeating

INDEX = 36
"""Most cells of one of the two patterns in a cell of both: 36 is a ratio of periods of up to 6 along each side."""
FINEST = 4.0
"""Shortest wave, in pixels, by which pairs are ranked."""
LEAST = 0.02
"""Part of the energy that counts as noise at least: what interpolation leaves is no reason for larger cells."""
SHARE = 0.08
"""Part of the energy that each pattern has to have beyond what falls on its waves by chance."""


class Proposal(NamedTuple):
    """Two lattices, and the error by cross-validation that they lead to expect."""

    error: float
    lattices: list[Lattice]


def proposed_pairs(
    field: Tensor, common: Lattice, valid: Tensor | None = None, *, count: int = 4
) -> list[Proposal]:
    """Return pairs of finer lattices, both of which contain a given one, that predict a field best; the best first.

    Parameters
    ----------
    field : Tensor of shape (C, H, W)
        Band-passed image.
    common : Lattice
        On which the whole field repeats.
    valid : Tensor of shape (H, W), optional
        1 where pixels are known, 0 where they are missing.
    count : int
        Pairs, at most.

    Notes
    -----
    A lattice that contains L has some of L's waves: k with ``k = M' j`` for whole j, M one of the Hermite normal forms of
    determinant n, of which there are sigma(n). With E the energies of the waves of L's cell, a pair leaves
    ``rest + E(L) - E(A) - E(B) + E(A and B)``, for all pairs one product of matrices. Divided by ``(1 - 1 / N_A - 1 / N_B)²``,
    N cells in view, this is the error by generalised cross-validation: two patterns have far fewer free numbers than L's cell.
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
    adds = np.minimum(alone[:, None], alone[None]) - both  # what the weaker one has for itself
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
    """Waves of a cell that are not too fine, (P, 2) whole numbers, and their mean squares (P,)."""
    power = (torch.fft.fft2(cell, norm="forward").abs() ** 2).mean(dim=0).cpu().double().numpy()
    along, across = (np.round(np.fft.fftfreq(n) * n) for n in power.shape)
    waves = np.stack(np.meshgrid(along, across, indexing="ij"), axis=-1).reshape(-1, 2)
    frequency = np.linalg.norm(waves @ np.linalg.inv(lattice.matrix), axis=1)
    near = (frequency > 0) & (frequency < 1 / FINEST)
    return waves[near].astype(int), power.reshape(-1)[near]


def _finer(lattice: Lattice, index: int) -> list[tuple[NDArray, Lattice]]:
    """All lattices that contain one, of so many times smaller cells, with the matrix whose rows span their waves."""
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
    """Whether waves (P, 2) are whole combinations of a matrix' rows, 1 or 0."""
    (first, shift), (_, second) = matrix
    return ((waves[:, 0] % first == 0) & ((waves[:, 1] - shift * (waves[:, 0] // first)) % second == 0)) * 1.0
