"""The walk against a dense solution; evidence and marks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.cutouts import attached
from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.methods.random_walker.walk import (
    automatic_hints,
    colour_evidence,
    random_walk,
    saliency_hints,
)


def test_the_walk_solves_its_equations():
    rng = torch.Generator().manual_seed(0)
    image = torch.rand((1, 3, 6, 7), generator=rng)
    hints = torch.zeros((2, 1, 6, 7))
    hints[0, 0, 1, 1:3], hints[1, 0, 4, 5] = 1, 1
    evidence = torch.rand((6, 7), generator=rng)
    found = random_walk(image, hints, evidence, contrast=20.0, pull=0.05, steps=2000).double()

    colours = blur(image, 0.5)[0]
    system, right = np.diag(np.full(42, 0.05)), 0.05 * evidence.flatten().double().numpy()
    for y in range(6):
        for x in range(7):
            for down, aside in ((0, 1), (1, 0), (1, 1), (1, -1)):
                if y + down < 6 and 0 <= x + aside < 7:
                    p, q = 7 * y + x, 7 * (y + down) + x + aside
                    gap = float((colours[:, y, x] - colours[:, y + down, x + aside]).square().mean())
                    link = (np.exp(-20 * gap) + 1e-5) / np.hypot(down, aside)
                    system[[p, q], [p, q]] += link
                    system[[p, q], [q, p]] -= link
    marks = (hints[0, 0] - hints[1, 0]).flatten().numpy()
    for p in np.flatnonzero(marks):
        system[p], system[p, p], right[p] = 0, 1, marks[p] > 0
    np.testing.assert_allclose(found.flatten().numpy(), np.linalg.solve(system, right), atol=1e-3)


def test_what_looks_like_a_mark_is_taken_for_it():
    image = torch.full((1, 3, 20, 20), 0.2)
    image[..., 10:] = 0.8
    hints = torch.zeros((2, 1, 20, 20))
    hints[0, 0, 5, 2:6], hints[1, 0, 5, 14:18] = 1, 1
    evidence = colour_evidence(image, hints)
    assert evidence[:, :8].min() > 0.7
    assert evidence[:, 12:].max() < 0.3


def test_only_what_hangs_together_with_a_mark_stays():
    chance = torch.zeros(8, 8)
    chance[1:4, 1:4], chance[5:7, 5:7] = 1, 1
    hints = torch.zeros((2, 1, 8, 8))
    hints[0, 0, 2, 2] = 1
    kept = attached(chance, hints) > 0.5
    assert kept[1:4, 1:4].all()
    assert not kept[5:7, 5:7].any()


def test_marks_are_guessed_and_read_from_saliency():
    image = torch.full((1, 1, 40, 40), 0.3)
    image[..., 15:25, 15:25] = 0.9
    guessed = automatic_hints(image)
    assert guessed[0, 0, 15:25, 15:25].sum() > 0.9 * guessed[0].sum() > 0
    assert guessed[1, 0, 0].all()
    told = saliency_hints(image + 1e-3 * torch.rand(image.shape, generator=torch.Generator().manual_seed(0)))
    assert told[0].sum() == told[0, 0, 15:25, 15:25].sum() > 0
    assert 0 < told[1].sum() < 0.1 * 1600
    assert not (told[0] * told[1]).any()


@pytest.mark.parametrize("part", [0.02, 0.3, 0.98])
def test_a_binary_saliency_image_marks_all_its_pixels(part):
    salient = torch.zeros(400)
    salient[: int(400 * part)] = 1
    hints = saliency_hints(salient.reshape(1, 1, 20, 20))
    assert torch.equal(hints[0].flatten(), salient)
    assert torch.equal(hints[1].flatten(), 1 - salient)


def test_saliency_that_is_mostly_undecided_marks_what_differs():
    salient = torch.full((1, 1, 20, 20), 0.5)
    salient[..., 0, 0], salient[..., 1, 0] = 1, 0
    hints = saliency_hints(salient)
    assert hints[0, 0].argwhere().tolist() == [[0, 0]]
    assert hints[1, 0].argwhere().tolist() == [[1, 0]]
