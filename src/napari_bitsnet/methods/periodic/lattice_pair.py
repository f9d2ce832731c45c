"""Decide whether an image repeats on two lattices, on one, or on none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods.periodic.common_period import proposed_pairs
from napari_bitsnet.methods.periodic.lattices import Lattice, band_pass, likely_lattices
from napari_bitsnet.methods.periodic.repeating import Repeating

FIRST, SECOND = 3, 2
"""Number of candidate lattices of each kind that are tried, for the first pattern and for the second."""
ROUNDS = 6
"""Rounds of fitting the cells of two patterns in turn."""
ONE, BOTH = 0.15, 0.08
"""Fractions of the band-passed image's energy that a first lattice has to predict, and a second has to
add."""
ALIKE = 0.01
"""Fraction of the energy that a single cell has to predict beyond a cell of half its size, or beyond two
patterns."""
WHOLE = 0.3
"""Largest residual of one lattice, as a fraction of the energy, with which it is tried as a common period."""


def finding_lattices(image: Tensor, valid: Tensor | None = None) -> Stages[list[Lattice]]:
    """Return the lattices (at most two) on which an image's patterns repeat, the stronger first.

    Parameters
    ----------
    image : Tensor of shape (C, H, W)
        The superimposed image, on any scale.
    valid : Tensor of shape (H, W), optional
        1 where pixels are known, 0 where they are missing.

    Notes
    -----
    Each likely lattice of the image is combined with the likely lattices of its residual. Pairs are compared
    by generalised cross-validation, ``mean(rest²) / (1 - sum_k 1 / N_k)²`` with N_k cells in view. If two
    finer lattices that contain the best single lattice explain the image equally well, they are chosen,
    because their cells are smaller.
    """
    seen = None if valid is None else valid.cpu().numpy() > 0.5
    fine = band_pass(image.cpu().double().numpy(), seen)
    field = torch.from_numpy(fine).float()
    mask = None if seen is None else torch.from_numpy(seen).float()
    energy = _mean_square(field, mask)
    if energy < 1e-10:
        return []
    likely = likely_lattices(fine, seen, count=FIRST)
    alone: list[tuple[float, Lattice, Tensor]] = []
    for lattice in likely:
        yield Stage(f"periods, {len(alone) + 1} of {len(likely)}")
        error, rest = _predict(field, [lattice], mask)
        alone.append((error, lattice, rest))
    best = min(alone, key=lambda entry: entry[0], default=(energy, None, field))
    slack = ALIKE * energy
    yield Stage("common period")
    split = _split(field, best[1], mask, best[0] + slack) if best[0] < WHOLE * energy else None
    if split is not None and split[0] < slack:
        return split[1]
    pair: tuple[float, list[Lattice]] = (energy, [])
    for number, (_, first, rest) in enumerate(alone):
        yield Stage(f"second periods, {number + 1} of {len(alone)}")
        for second in likely_lattices(rest.double().numpy(), seen, count=SECOND):
            yield Stage(f"pairs of periods, {number + 1} of {len(alone)}")
            if first.contains(second) or second.contains(first):
                continue
            error, _ = _predict(field, [first, second], mask)
            pair = min(pair, (error, [first, second]), key=lambda entry: entry[0])
    yield Stage("halves of periods")
    pair = _subdivided(field, pair, mask, 0)  # half a cell may only show in the other's residual
    if split is not None and split[0] < pair[0] + slack:
        return split[1]
    both = pair[1]
    if both and energy - pair[0] > (ONE + BOTH) * energy:
        adds = best[0] - pair[0]
        smaller = best[1] is not None and sum(lattice.area for lattice in both) < best[1].area
        if adds > BOTH * energy or (smaller and adds > -BOTH * energy):
            return both
    if best[1] is None or energy - best[0] <= ONE * energy:
        return []
    return _subdivided(field, (best[0], [best[1]]), mask, slack)[1]


def _split(
    field: Tensor, common: Lattice | None, mask: Tensor | None, most: float
) -> tuple[float, list[Lattice]] | None:
    """Return the first proposed pair with this common period whose error is below a limit."""
    for entry in [] if common is None else proposed_pairs(field, common, mask):
        error, _ = _predict(field, entry.lattices, mask)
        if error < most:
            return error, entry.lattices
    return None


def _subdivided(
    field: Tensor, pair: tuple[float, list[Lattice]], mask: Tensor | None, slack: float
) -> tuple[float, list[Lattice]]:
    """Halve the cells of one or two lattices while the prediction improves, or hardly gets worse."""
    for k in range(len(pair[1])):
        for _ in range(3):
            before = pair
            for half in pair[1][k].halves():
                trial = [half if i == k else lattice for i, lattice in enumerate(pair[1])]
                if len(trial) < 2 or not (trial[0].contains(trial[1]) or trial[1].contains(trial[0])):
                    error, _ = _predict(field, trial, mask)
                    if error < pair[0] + (slack if pair is before else 0):
                        pair = error, trial
            if pair is before:
                break
    return pair


def _mean_square(field: Tensor, mask: Tensor | None) -> float:
    """Return the mean square over known pixels; missing pixels are 0."""
    known = field[0].numel() if mask is None else float(mask.sum())
    return float((field**2).sum() / (known * len(field)))


def _predict(field: Tensor, lattices: Sequence[Lattice], mask: Tensor | None) -> tuple[float, Tensor]:
    """Fit cells to a field in turn; return the cross-validation error and the residual."""
    size = (field.shape[-2], field.shape[-1])
    patterns = [Repeating(lattice, size, len(field), field, mask) for lattice in lattices]
    masses = [p.gather(torch.ones_like(field[:1])) + 1e-3 for p in patterns]
    images = [torch.zeros_like(field) for _ in patterns]
    seen = torch.ones_like(field[0]) if mask is None else mask
    rest = field
    for _ in range(ROUNDS):
        for k, p in enumerate(patterns):
            p.cell = p.cell + p.gather(rest) / masses[k]
            images[k] = p.image
            rest = (field - torch.stack(images).sum(dim=0)) * seen
    known = float(seen.sum())
    freedom = sum(lattice.area / known for lattice in lattices)
    return _mean_square(rest, mask) / max(1 - freedom, 0.05) ** 2, rest
