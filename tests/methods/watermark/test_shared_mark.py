"""The mark's mathematics: cuts against every labelling, exact removal, colour and opacity."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from napari_bitsnet.core.operators.gradient import gradient
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods.watermark.mark import (
    AREA,
    Edges,
    find_mark,
    log_edges,
    mark_colour,
    remove_mark,
    softening_mark,
)


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
