"""The mark's mathematics: cuts against every labelling, exact removal, colour and opacity."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from napari_bitsnet.core.operators.gradient import gradient
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods.watermark.edges import Edges, log_edges
from napari_bitsnet.methods.watermark.mark import AREA, find_mark
from napari_bitsnet.methods.watermark.outline import Outline, softening_mark
from napari_bitsnet.methods.watermark.removal import mark_colour, remove_mark


def test_the_cut_is_the_best_of_all_labellings():
    rng = torch.Generator().manual_seed(3)
    edges = Edges(
        torch.randn((2, 1, 1, 4, 4), generator=rng), torch.rand((2, 1, 1, 4, 4), generator=rng) + 0.2
    )
    region = torch.zeros((4, 4), dtype=torch.bool)
    region[:3, :4] = True
    step = float(np.log(0.4))

    def energy(mark):
        change = gradient(mark)
        kept = (edges.steps - step * change[:, None, None]).abs() - edges.steps.abs()
        return float((kept * edges.trust).sum() + 0.1 * change.abs().sum() + AREA * mark.sum())

    best = min(
        energy(torch.cat([torch.tensor(u, dtype=torch.float32).reshape(3, 4), torch.zeros(1, 4)]))
        for u in product((0.0, 1.0), repeat=12)
    )
    mark, found = find_mark(edges, region, 0.6, length=0.1, steps=4000)
    assert found == pytest.approx(best, abs=1e-3)
    assert not mark[3].any()


@pytest.fixture(scope="module")
def marked():
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand((3, 3, 6, 8), generator=rng) * 0.8
    clean = torch.nn.functional.interpolate(coarse, size=(36, 48), mode="bilinear")
    opacity = torch.zeros(36, 48)
    opacity[10:26, 12:36] = 0.5
    colour = torch.tensor([0.9, 0.3, 1.0])
    return clean, opacity, colour, (1 - opacity) * clean + opacity * colour[:, None, None]


def test_a_known_mark_is_undone_exactly(marked):
    clean, opacity, colour, images = marked
    found, hidden, _ = remove_mark(images, opacity, colour)
    torch.testing.assert_close(found, clean, atol=1e-5, rtol=0)
    assert not hidden.any()
    assert torch.equal(found[..., opacity == 0], images[..., opacity == 0])


def test_colour_and_opacity_follow_from_inside_and_outside(marked):
    _, opacity, colour, images = marked
    found, level = mark_colour(images, opacity)
    assert level == pytest.approx(0.5, abs=0.05)
    torch.testing.assert_close(found, colour, atol=0.08, rtol=0)


def test_mark_and_opacity_follow_from_edges(marked):
    _, opacity, colour, images = marked
    region = torch.zeros(36, 48, dtype=torch.bool)
    region[1:-1, 1:-1] = True
    edges = log_edges(images, colour)
    mark, energy = find_mark(edges, region, 0.4)
    assert energy < 0
    assert torch.equal(mark > 0.5, opacity > 0)
    soft = exhaust(softening_mark(edges, mark > 0.5, region, None, 0.4))
    torch.testing.assert_close(soft, opacity, atol=0.06, rtol=0)


def test_an_opaque_mark_hides(marked):
    clean, opacity, colour, _ = marked
    cover = 2 * opacity
    images = (1 - cover) * clean + cover * colour[:, None, None]
    _, hidden, seen = remove_mark(images, cover, colour)
    assert torch.equal(hidden[0, 0], cover == 1)
    assert torch.equal(seen, cover)


def test_the_outline_is_fitted_as_by_linear_programming():
    """The least sum of absolute values, also by an exact solver."""
    from scipy.optimize import linprog

    rng = np.random.default_rng(5)
    shape, low, length = (5, 6), -1.2, 0.3
    steps, trust = rng.normal(0, 0.7, (2, 2, 1, *shape)), rng.uniform(0.2, 1.5, (2, 2, 1, *shape))
    free = np.zeros(shape, bool)
    free[1:4, 1:5] = True
    fixed = np.zeros(shape)
    fixed[2, 2:4], free[2, 2:4] = low, False
    at = np.arange(free.size).reshape(shape)
    pairs = [((0, y, x), at[y, x], at[y + 1, x]) for y in range(4) for x in range(6)]
    pairs += [((1, y, x), at[y, x], at[y, x + 1]) for y in range(5) for x in range(5)]
    terms = []  # weight, target, both ends
    for (axis, y, x), a, b in pairs:
        if free.flat[a] or free.flat[b]:
            terms += [(trust[axis, m, 0, y, x], steps[axis, m, 0, y, x], a, b) for m in range(2)]
            terms.append((length, 0.0, a, b))
    n, rows, sides = free.size, [], []
    for k, (_, target, a, b) in enumerate(terms):
        for sign in (1, -1):  # sign (L_b - L_a - target) <= t_k
            row = np.zeros(n + len(terms))
            row[b], row[a], row[n + k] = sign, -sign, -1
            rows.append(row)
            sides.append(sign * target)
    bounds = [(low, 0) if free.flat[i] else (fixed.flat[i],) * 2 for i in range(n)] + [(0, None)] * len(terms)
    cost = np.r_[np.zeros(n), [term[0] for term in terms]]
    least = linprog(cost, np.array(rows), sides, bounds=bounds).fun

    edges = Edges(torch.tensor(steps), torch.tensor(trust))
    outline = Outline.of(edges, torch.tensor(free))
    level, energy = outline.least_edges(torch.tensor(fixed), low, length, 20000)
    assert energy == pytest.approx(least, rel=1e-4)
    assert torch.equal(level[~torch.tensor(free)], torch.tensor(fixed[~free]))


def test_the_search_does_not_look_outside_the_region(marked):
    _, opacity, colour, images = marked
    region = torch.zeros(36, 48, dtype=torch.bool)
    region[6:30, 8:40] = True
    edges = log_edges(images, colour)
    inside, energy = find_mark(edges, region, 0.5)
    assert torch.equal(inside > 0.5, opacity > 0)
    again, same = find_mark(edges, region, 0.5, start=inside)
    assert torch.equal(again > 0.5, inside > 0.5)
    assert same == pytest.approx(energy, rel=1e-3)
    assert not find_mark(edges, torch.zeros_like(region), 0.5)[0].any()
